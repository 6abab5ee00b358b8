import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { Misbehaviour, StandInTestbed } from '../../dev/kamal/stand-in/stand-in-testbed';
import { startStandInTestbed } from '../../dev/kamal/stand-in/stand-in-testbed';
import { startSimulator } from '../../dev/gh/simulator';
import { withDatabase } from '../support/database';
import { endOf, endOfSilentHost, kamalSequence, playSilentHost, runStep } from '../support/kamal-sequence';
import { until } from '../support/until';

const deploy = ['deploy', '-P', '-d', 'staging', '--version', 'v2'];

describe('the stand-in, on the commands that the real Kamal is tried on too', () => {
  const testbed = withStandIn();
  beforeAll(async () => {
    await testbed().push('bad', { broken: 'exits' });
    await testbed().push('wrong', { wrongLabel: true });
  });

  test.each(kamalSequence)('$title', async (step) => {
    expect(await runStep(testbed(), step)).toEqual(endOf(step));
  });

  test('one host that cannot be reached: the others, in one command with it', async () => {
    expect(await playSilentHost(testbed())).toEqual(endOfSilentHost());
  });
});

describe('the stand-in, when it is told to misbehave', () => {
  const testbed = withStandIn();
  const running: ChildProcess[] = [];
  afterEach(async () => {
    for (const child of running.splice(0)) child.kill('SIGKILL');
    await testbed().misbehave();
    await testbed().kamal('lock', 'release', '-d', 'staging');
    await testbed().kamal('app', 'stop', '-d', 'staging');
  });

  /** Its chunks as they come, and its end. */
  const start = (args: string[], env: Record<string, string> = {}) => {
    const child = spawn(testbed().kamalBin, args, {
      cwd: testbed().configDir,
      env: { ...testbed().kamalEnv, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running.push(child);
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    return { child, chunks, exited: once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>, closed: once(child, 'close') };
  };
  const reached = async (step: Misbehaviour['at'], pid: number | undefined): Promise<unknown> =>
    await until(async () => (await testbed().steps()).find((at) => at.step === step && at.pid === pid), {
      what: `it comes to ${step}`,
      timeoutMs: 30_000,
    });

  test.each(['SIGTERM', 'SIGINT', 'SIGKILL'] as const)('leaves the lock and what it has begun when %s ends it', async (signal) => {
    await testbed().misbehave({ on: 'deploy', at: 'booted', do: { silentMs: 60_000 } });
    const { child, chunks, exited } = start(deploy);
    await reached('booted', child.pid);
    // Its lines are written out before it falls silent.
    await until(() => Buffer.concat(chunks).includes('Container is healthy!'), { what: 'its lines are there' });
    child.kill(signal);
    expect(await exited).toEqual([null, signal]);
    expect(await testbed().hosts[0]?.lockHolder('staging')).toContain('Automatic deploy lock');
    expect(await testbed().hosts[0]?.runningVersion()).toBe('v2');
  });

  test('writes nothing before its buffer is full, unless RUBYOPT asks for every line', async () => {
    await testbed().misbehave({ on: 'lock status', do: { print: ['a first line'], sleepMs: 60_000 } });
    const buffered = start(['lock', 'status', '-d', 'staging']);
    await reached('start', buffered.child.pid);
    const sync = path.join(testbed().configDir, 'sync.rb');
    await writeFile(sync, '$stdout.sync = true\n');
    const lineByLine = start(['lock', 'status', '-d', 'staging'], { RUBYOPT: `-r${sync}` });
    await until(() => lineByLine.chunks.length > 0, { what: 'the line comes at once' });
    expect(lineByLine.chunks.join('')).toBe('a first line\n');
    expect(buffered.chunks).toEqual([]);
  });

  test('ends with 1 after a deploy that went well', async () => {
    await testbed().misbehave({ on: 'deploy', at: 'end', do: { exitCode: 1 } });
    expect((await testbed().kamal(...deploy)).code).toBe(1);
    expect(await testbed().hosts[0]?.runningVersion()).toBe('v2');
  });

  test('ends well and has done nothing, once', async () => {
    await testbed().misbehave({ on: 'deploy', times: 1, do: { noEffect: true } });
    expect((await testbed().kamal(...deploy)).code).toBe(0);
    expect(await testbed().hosts[0]?.runningVersion()).toBeNull();
    expect((await testbed().kamal(...deploy)).code).toBe(0);
    expect(await testbed().hosts[0]?.runningVersion()).toBe('v2');
  });

  test('fails at a step with an error of its own, and drops the lock as Kamal does', async () => {
    await testbed().misbehave({
      on: 'deploy',
      at: 'prune',
      do: { error: { class: 'Kamal::Cli::HookError', message: 'Hook `post-deploy` failed' } },
    });
    const { code, output } = await testbed().kamal(...deploy);
    expect({ code, lock: await testbed().hosts[0]?.lockHolder('staging') }).toEqual({ code: 1, lock: null });
    expect(output).toContain('\u001B[31mERROR (Kamal::Cli::HookError): Hook `post-deploy` failed\u001B[0m');
  });

  test('floods its reader without losing a line', async () => {
    await testbed().misbehave({ on: 'lock status', do: { floodLines: 100_000, longLineBytes: 3_000_000 } });
    const { output } = await testbed().kamal('lock', 'status', '-d', 'staging');
    const lines = output.split('\n');
    expect(lines.filter((line) => line.includes('flood line'))).toHaveLength(100_000);
    expect(lines.find((line) => line.startsWith('long '))).toHaveLength(3_000_005);
  });

  test('cuts characters in the middle, and overwrites a line', async () => {
    const untilFile = path.join(testbed().configDir, 'the-cut-was-seen');
    await testbed().misbehave({ on: 'lock status', do: { cutUtf8: true, untilFile, progress: true, unfinishedLine: 'no end' } });
    const { chunks, closed } = start(['lock', 'status', '-q', '-d', 'staging']);
    await until(() => Buffer.concat(chunks).toString('utf8') === 'gr\uFFFD', { what: 'half of a character is there' });
    await writeFile(untilFile, '');
    await closed;
    expect(Buffer.concat(chunks).toString('utf8')).toMatch(/^größer – 部署 ✓\n\rpulling 0 %\rpulling 20 %[^\n]*\rpulling 100 %\nno end$/);
  });

  test('does not end at a graceful signal when told so', async () => {
    await testbed().misbehave({ on: 'deploy', at: 'lock', do: { ignoreSignals: true, print: ['deaf'], silentMs: 60_000 } });
    const { child, chunks, exited } = start(deploy);
    await until(() => Buffer.concat(chunks).includes('deaf'), { what: 'it is deaf' });
    child.kill('SIGTERM');
    child.kill('SIGINT');
    expect(await Promise.race([exited, testbed().kamal('version')])).toMatchObject({ code: 0 });
    child.kill('SIGKILL');
    expect(await exited).toEqual([null, 'SIGKILL']);
  });

  test('waits for ever for an answer that nobody can give', async () => {
    await testbed().misbehave({ on: 'deploy', do: { prompt: 'Enter passphrase: ' } });
    const { child, exited } = start(deploy);
    await reached('start', child.pid);
    expect(await Promise.race([exited, testbed().kamal('version')])).toMatchObject({ code: 0 });
  });

  test('leaves a grandchild that holds its pipes open', async () => {
    await testbed().misbehave({ on: 'version', do: { grandchild: { ms: 3_000 } } });
    const { exited, closed } = start(['version']);
    await exited;
    let isClosed = false;
    void closed.then(() => (isClosed = true));
    await testbed().kamal('config', '-d', 'staging');
    expect(isClosed).toBe(false);
    await closed;
  });

  test('finds no host behind a closed door', async () => {
    await testbed().hosts[1]?.stopSsh();
    const { code, output } = await testbed().kamal('app', 'version', '-q', '-d', 'staging');
    await testbed().hosts[1]?.startSsh();
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
    const testbed = await openStandIn({ hosts: ['127.0.0.1'], simulatorUrl: `http://127.0.0.1:${simulator.controlPort}` });
    const host = simulator.host('worker-1');
    try {
      simulator.kill('worker-1', { api: true });
      expect((await testbed.kamal(...deploy)).code).toBe(0);
      const answer = await fetch(`http://127.0.0.1:${host.ports.api}/health/version`);
      expect(await answer.json()).toMatchObject({ image_tag: 'v2' });
      expect(host.isReady).toBe(true);
      expect((await testbed.kamal('app', 'stop', '-d', 'staging')).code).toBe(0);
      await until(() => host.describe().worker === null, { what: 'the worker has ended' });
      expect(host.describe().isApiUp).toBe(false);
    } finally {
      await testbed.stop();
      await simulator.stop();
    }
  });
});

async function openStandIn(more: { hosts?: string[]; simulatorUrl?: string } = {}): Promise<StandInTestbed> {
  const testbed = await startStandInTestbed({ dir: await mkdtemp(path.join(os.tmpdir(), 'stand-in-')), stepMs: 1, ...more });
  for (const version of ['v1', 'v2']) await testbed.push(version);
  return testbed;
}

function withStandIn(): () => StandInTestbed {
  let testbed: StandInTestbed | undefined;
  beforeAll(async () => {
    testbed = await openStandIn();
  });
  afterAll(async () => await testbed?.stop());
  return () => testbed as StandInTestbed;
}
