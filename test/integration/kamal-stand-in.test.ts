import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { Misbehaviour, StandInYard } from '../../src/dev/kamal-stand-in/stand-in-yard';
import { startStandInYard } from '../../src/dev/kamal-stand-in/stand-in-yard';
import { startSimulator } from '../../src/dev/gh-simulator/simulator';
import { withDatabase } from '../support/database';
import { endOf, kamalSequence, runStep } from '../support/kamal-sequence';
import { until } from '../support/until';

const deploy = ['deploy', '-P', '-d', 'staging', '--version', 'v2'];

describe('the stand-in, on the commands that the real Kamal is tried on too', () => {
  const yard = withStandIn();
  beforeAll(async () => {
    await yard().push('bad', { broken: 'exits' });
    await yard().push('wrong', { wrongLabel: true });
  });

  test.each(kamalSequence)('$title', async (step) => {
    expect(await runStep(yard(), step)).toEqual(endOf(step));
  });
});

describe('the stand-in, when it is told to misbehave', () => {
  const yard = withStandIn();
  const running: ChildProcess[] = [];
  afterEach(async () => {
    for (const child of running.splice(0)) child.kill('SIGKILL');
    await yard().misbehave();
    await yard().kamal('lock', 'release', '-d', 'staging');
    await yard().kamal('app', 'stop', '-d', 'staging');
  });

  /** Its chunks as they come, and its end. */
  const start = (args: string[], env: Record<string, string> = {}) => {
    const child = spawn(yard().kamalBin, args, {
      cwd: yard().configDir,
      env: { ...yard().kamalEnv, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running.push(child);
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    return { child, chunks, exited: once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>, closed: once(child, 'close') };
  };
  const reached = async (step: Misbehaviour['at'], pid: number | undefined): Promise<unknown> =>
    await until(async () => (await yard().steps()).find((at) => at.step === step && at.pid === pid), {
      what: `it comes to ${step}`,
      timeoutMs: 30_000,
    });

  test.each(['SIGTERM', 'SIGINT', 'SIGKILL'] as const)('leaves the lock and what it has begun when %s ends it', async (signal) => {
    await yard().misbehave({ on: 'deploy', at: 'booted', do: { silentMs: 60_000 } });
    const { child, chunks, exited } = start(deploy);
    await reached('booted', child.pid);
    // Its lines are written out before it falls silent.
    await until(() => Buffer.concat(chunks).includes('Container is healthy!'), { what: 'its lines are there' });
    child.kill(signal);
    expect(await exited).toEqual([null, signal]);
    expect(await yard().hosts[0]?.lockHolder('staging')).toContain('Automatic deploy lock');
    expect(await yard().hosts[0]?.runningVersion()).toBe('v2');
  });

  test('writes nothing before its buffer is full, unless RUBYOPT asks for every line', async () => {
    await yard().misbehave({ on: 'lock status', do: { print: ['a first line'], sleepMs: 60_000 } });
    const buffered = start(['lock', 'status', '-d', 'staging']);
    await reached('start', buffered.child.pid);
    const sync = path.join(yard().configDir, 'sync.rb');
    await writeFile(sync, '$stdout.sync = true\n');
    const lineByLine = start(['lock', 'status', '-d', 'staging'], { RUBYOPT: `-r${sync}` });
    await until(() => lineByLine.chunks.length > 0, { what: 'the line comes at once', timeoutMs: 30_000 });
    expect(lineByLine.chunks.join('')).toBe('a first line\n');
    expect(buffered.chunks).toEqual([]);
  });

  test('ends with 1 after a deploy that went well', async () => {
    await yard().misbehave({ on: 'deploy', at: 'end', do: { exitCode: 1 } });
    expect((await yard().kamal(...deploy)).code).toBe(1);
    expect(await yard().hosts[0]?.runningVersion()).toBe('v2');
  });

  test('ends well and has done nothing, once', async () => {
    await yard().misbehave({ on: 'deploy', times: 1, do: { noEffect: true } });
    expect((await yard().kamal(...deploy)).code).toBe(0);
    expect(await yard().hosts[0]?.runningVersion()).toBeNull();
    expect((await yard().kamal(...deploy)).code).toBe(0);
    expect(await yard().hosts[0]?.runningVersion()).toBe('v2');
  });

  test('fails at a step with an error of its own, and drops the lock as Kamal does', async () => {
    await yard().misbehave({
      on: 'deploy',
      at: 'prune',
      do: { error: { class: 'Kamal::Cli::HookError', message: 'Hook `post-deploy` failed' } },
    });
    const { code, output } = await yard().kamal(...deploy);
    expect({ code, lock: await yard().hosts[0]?.lockHolder('staging') }).toEqual({ code: 1, lock: null });
    expect(output).toContain('\u001B[31mERROR (Kamal::Cli::HookError): Hook `post-deploy` failed\u001B[0m');
  });

  test('floods its reader without losing a line', async () => {
    await yard().misbehave({ on: 'lock status', do: { floodLines: 100_000, longLineBytes: 3_000_000 } });
    const { output } = await yard().kamal('lock', 'status', '-d', 'staging');
    const lines = output.split('\n');
    expect(lines.filter((line) => line.includes('flood line'))).toHaveLength(100_000);
    expect(lines.find((line) => line.startsWith('long '))).toHaveLength(3_000_005);
  });

  test('cuts characters in the middle, and overwrites a line', async () => {
    await yard().misbehave({ on: 'lock status', do: { cutUtf8: true, progress: true, unfinishedLine: 'no end' } });
    const { chunks, closed } = start(['lock', 'status', '-q', '-d', 'staging']);
    await closed;
    expect(chunks.some((chunk) => chunk.toString('utf8').includes('\uFFFD'))).toBe(true);
    expect(Buffer.concat(chunks).toString('utf8')).toMatch(/^größer – 部署 ✓\n\rpulling 0 %\rpulling 20 %[^\n]*\rpulling 100 %\nno end$/);
  });

  test('does not end at a polite signal when told so', async () => {
    await yard().misbehave({ on: 'deploy', at: 'lock', do: { ignoreSignals: true, print: ['deaf'], silentMs: 60_000 } });
    const { child, chunks, exited } = start(deploy);
    await until(() => Buffer.concat(chunks).includes('deaf'), { what: 'it is deaf', timeoutMs: 30_000 });
    child.kill('SIGTERM');
    child.kill('SIGINT');
    expect(await Promise.race([exited, yard().kamal('version')])).toMatchObject({ code: 0 });
    child.kill('SIGKILL');
    expect(await exited).toEqual([null, 'SIGKILL']);
  });

  test('waits for ever for an answer that nobody can give', async () => {
    await yard().misbehave({ on: 'deploy', do: { prompt: 'Enter passphrase: ' } });
    const { child, exited } = start(deploy);
    await reached('start', child.pid);
    expect(await Promise.race([exited, yard().kamal('version')])).toMatchObject({ code: 0 });
  });

  test('leaves a grandchild that holds its pipes open', async () => {
    await yard().misbehave({ on: 'version', do: { grandchild: { ms: 3_000 } } });
    const { exited, closed } = start(['version']);
    await exited;
    let isClosed = false;
    void closed.then(() => (isClosed = true));
    await yard().kamal('config', '-d', 'staging');
    expect(isClosed).toBe(false);
    await closed;
  });

  test('finds no host behind a closed door', async () => {
    await yard().hosts[1]?.stopSsh();
    const { code, output } = await yard().kamal('app', 'version', '-q', '-d', 'staging');
    await yard().hosts[1]?.startSsh();
    expect(code).toBe(1);
    expect(output).toMatch(
      /ERROR \(Errno::ECONNREFUSED\): Exception while executing on host 127\.0\.0\.3: Connection refused - connect\(2\)/,
    );
  });
});

describe('the stand-in, with a simulated GH behind it', () => {
  const database = withDatabase();

  test('starts the worker with the version that it boots, and stops it', async () => {
    const simulator = await startSimulator({
      databaseUrl: database.databaseUrl,
      serviceSecret: 'secret',
      controlPort: 0,
      hosts: [{ workerId: 'worker-1', ip: '127.0.0.1', apiPort: 0, statusPort: 0 }],
    });
    const yard = await openStandIn({ hosts: ['127.0.0.1'], simulatorUrl: `http://127.0.0.1:${simulator.controlPort}` });
    const host = simulator.host('worker-1');
    try {
      simulator.kill('worker-1', { api: true });
      expect((await yard.kamal(...deploy)).code).toBe(0);
      const answer = await fetch(`http://127.0.0.1:${host.ports.api}/health/version`);
      expect(await answer.json()).toMatchObject({ image_tag: 'v2' });
      expect(host.isReady).toBe(true);
      expect((await yard.kamal('app', 'stop', '-d', 'staging')).code).toBe(0);
      await until(() => host.describe().worker === null, { what: 'the worker has ended' });
      expect(host.describe().isApiUp).toBe(false);
    } finally {
      await yard.stop();
      await simulator.stop();
    }
  });
});

async function openStandIn(more: { hosts?: string[]; simulatorUrl?: string } = {}): Promise<StandInYard> {
  const yard = await startStandInYard({ dir: await mkdtemp(path.join(os.tmpdir(), 'stand-in-')), stepMs: 1, ...more });
  for (const version of ['v1', 'v2']) await yard.push(version);
  return yard;
}

function withStandIn(): () => StandInYard {
  let yard: StandInYard | undefined;
  beforeAll(async () => {
    yard = await openStandIn();
  });
  afterAll(async () => await yard?.stop());
  return () => yard as StandInYard;
}
