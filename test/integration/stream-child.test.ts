import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { endLeftover } from '../../src/process/leftovers';
import type { StreamedEnd } from '../../src/domain/child-end';
import { streamChild, type StreamOrder } from '../../src/process/stream-child';
import { ignore, isAlive, killLeftPrograms, readPids, remember, spawnOther, stay } from '../support/child-programs';
import { until } from '../support/until';

let dir: string;
/** Where the test's programs write their pids. */
let programs: string;
/** Where the supervisor writes its group. */
let pidFile: string;
let written: string;

beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'stream-child-'));
  programs = path.join(dir, 'programs');
  pidFile = path.join(dir, 'group');
  written = '';
});
afterEach(() => {
  try {
    killLeftPrograms(programs);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

describe('output', () => {
  it('arrives while the command runs', async () => {
    const asked = new AbortController();
    const running = run(`console.log("out"); console.error("err"); ${stay}`, { signal: asked.signal });
    await until(() => written.includes('out') && written.includes('err'), { what: 'both streams are there' });
    asked.abort();
    expect(await running).toEqual({ kind: 'stopped' });
  });

  it('waits in the command while its receiver is busy, and is all there in the end', async () => {
    const size = 4_000_000;
    let bytes = 0;
    let release: (() => void) | undefined;
    const isFree = new Promise<void>((resolve) => (release = resolve));
    const running = run(`process.stdout.write(Buffer.alloc(${size}, "x"), () => require("node:fs").writeFileSync(process.argv[1], ""))`, {
      onChunk: async (_stream, chunk) => {
        bytes += chunk.length;
        await isFree;
      },
    });
    await until(() => bytes > 0, { what: 'the first chunk is there' });
    await delay(500);
    // One chunk was handed over; the program has not got rid of the others.
    expect(bytes).toBeLessThanOrEqual(65_536);
    expect(() => statSync(programs)).toThrow('ENOENT');
    release?.();
    expect(await running).toEqual({ kind: 'exited', code: 0 });
    expect(bytes).toBe(size);
  });

  it('that its receiver refuses stops the command', async () => {
    const end = await run(`console.log("no"); ${remember} ${stay}`, { onChunk: () => Promise.reject(new Error('full')) });
    expect(end).toEqual({ kind: 'stopped' });
  });
});

describe('silence', () => {
  it('of both streams for too long ends the command', async () => {
    expect(await run(`console.log("Password:"); ${stay}`, { silentMs: 5_000 })).toEqual({ kind: 'silent' });
    expect(written).toBe('Password:\n');
  });

  it('is none while something is written now and then', async () => {
    const program = 'let n = 0; setInterval(() => { process.stderr.write("."); if (++n === 24) process.exit(0); }, 500)';
    expect(await run(program, { silentMs: 10_000 })).toEqual({ kind: 'exited', code: 0 });
  });

  it('is none while the receiver is busy', async () => {
    const end = await run('console.log("a"); setTimeout(() => console.log("b"), 100)', { silentMs: 5_000, onChunk: () => delay(7_000) });
    expect(end).toEqual({ kind: 'exited', code: 0 });
  });
});

describe('a question', () => {
  it('finds no terminal and an empty input', async () => {
    const program = `let n = -1; try { n = require("node:fs").readSync(0, Buffer.alloc(1)); } catch {}
      let tty = "open"; try { require("node:fs").openSync("/dev/tty", "r"); } catch (error) { tty = error.code; }
      console.log(n, tty);`;
    await run(program);
    expect(written).toBe('0 ENXIO\n');
  });
});

describe('the way to the end', () => {
  it('goes from INT over TERM to KILL', async () => {
    const asked = new AbortController();
    const program = `for (const s of ["SIGINT", "SIGTERM"]) process.on(s, () => console.log(s)); ${remember} ${stay}`;
    const running = run(program, { signal: asked.signal, killAfterMs: 6_000 });
    await until(() => pids().length === 1, { what: 'the command runs' });
    asked.abort();
    expect(await running).toEqual({ kind: 'stopped' });
    expect(written).toBe('SIGINT\nSIGTERM\n');
    expect(pids().filter(isAlive)).toEqual([]);
  });

  it('is the same for what the command left in its group, holding the pipes open', async () => {
    const end = await run(`${spawnOther('inherit', false)} process.exit(0)`, { killAfterMs: 600 });
    expect(end).toEqual({ kind: 'exited', code: 0 });
    expect(pids()).toHaveLength(1);
    expect(pids().filter(isAlive)).toEqual([]);
  });

  it('P7: comes soon when the owner is killed, whatever the command ignores and leaves', async () => {
    // The parent is gone at once: what it started is nobody's child, holds the pipes and ignores the graceful signals.
    const owner = startOwner(`${spawnOther('inherit', false)} process.exit(0)`, { killAfterMs: 4_000 });
    await until(() => pids().length === 1, { what: 'the grandchild runs' });
    owner.kill('SIGKILL');
    await until(() => !pids().some(isAlive), { what: 'it is gone' });
    expect(pids().filter(isAlive)).toEqual([]);
  });
});

describe('a pid file', () => {
  it('is there while the group is, for nobody else to read', async () => {
    const asked = new AbortController();
    const running = run(`${remember} ${stay}`, { signal: asked.signal, pidFile });
    await until(() => pids().length === 1, { what: 'the command runs' });
    expect(JSON.parse(readFileSync(pidFile, 'utf8'))).toMatchObject({ pid: pids()[0] });
    expect(statSync(pidFile).mode & 0o777).toBe(0o600);
    asked.abort();
    await running;
    expect(() => statSync(pidFile)).toThrow('ENOENT');
  });

  it('that cannot be written lets nothing run', async () => {
    const end = await run(`${remember} ${stay}`, { pidFile: path.join(dir, 'nowhere/group') });
    expect(end).toEqual({ kind: 'not_started', problem: 'ENOENT' });
    expect(pids().filter(isAlive)).toEqual([]);
  });

  it('lets a later process end what outlived owner and supervisor', async () => {
    const [pid = 0] = await leaveBehind(`${ignore('SIGINT')} ${remember} ${stay}`);
    expect(await endLeftover(pidFile, ladder)).toEqual({ kind: 'ended', pid });
    expect(isAlive(pid)).toBe(false);
    expect(await endLeftover(pidFile, ladder)).toEqual({ kind: 'none' });
  });

  it('lets it end the rest of a group whose leader is gone', async () => {
    const [other = 0] = await leaveBehind(`${spawnOther('ignore', false)} ${stay}`);
    const { pid: leader } = readGroup();
    process.kill(leader, 'SIGKILL');
    await until(() => !isAlive(leader), { what: 'the leader is gone' });
    expect(await endLeftover(pidFile, ladder)).toEqual({ kind: 'ended', pid: leader });
    expect(isAlive(other)).toBe(false);
  });

  it.each(['started at another moment', 'started before another boot'])('leaves a process alone that %s', async (what) => {
    const [pid = 0] = await leaveBehind(`${remember} ${stay}`);
    writeFileSync(pidFile, JSON.stringify({ ...readGroup(), ...(what.includes('boot') ? { bootId: 'another' } : { startedTicks: '1' }) }));
    expect(await endLeftover(pidFile, ladder)).toEqual({ kind: 'none' });
    expect(isAlive(pid)).toBe(true);
    process.kill(pid, 'SIGKILL');
    await until(() => !isAlive(pid), { what: 'the test has cleaned up' });
  });

  it('leaves the rest of a group alone that does not carry its mark', async () => {
    const [other = 0] = await leaveBehind(`${spawnOther('ignore', false)} ${stay}`);
    const another = path.join(dir, 'another-group');
    writeFileSync(another, JSON.stringify(readGroup()));
    process.kill(readGroup().pid, 'SIGKILL');
    await until(() => !isAlive(readGroup().pid), { what: 'the leader is gone' });
    expect(await endLeftover(another, ladder)).toEqual({ kind: 'none' });
    expect(isAlive(other)).toBe(true);
    await endLeftover(pidFile, ladder);
  });

  it('that is damaged is a problem, and nothing is ended', async () => {
    writeFileSync(pidFile, '{"pid":1}');
    expect(await endLeftover(pidFile, ladder)).toEqual({ kind: 'problem', problem: `${pidFile} is no pid file` });
  });
});

const ladder = { killAfterMs: 600, gracefulSignals: ['SIGINT', 'SIGTERM'] } as const;

const pids = (): number[] => readPids(programs);

const readGroup = (): { pid: number; startedTicks: string; bootId: string } => JSON.parse(readFileSync(pidFile, 'utf8'));

const run = (program: string, order: Partial<StreamOrder> = {}): Promise<StreamedEnd> =>
  streamChild({
    command: [process.execPath, '-e', program, programs],
    env: { PATH: process.env.PATH ?? '' },
    timeoutMs: 30_000,
    killAfterMs: 1_000,
    gracefulSignals: ['SIGINT', 'SIGTERM'],
    onChunk: (_stream, chunk) => {
      written += chunk.toString();
    },
    ...order,
  });

/** Another Node, which says to the supervisor what src/process/stream-child.ts says. It writes the supervisor's pid to its standard output. */
const startOwner = (program: string, { killAfterMs }: { killAfterMs: number }) => {
  const supervisor = path.join(__dirname, '../../src/process/supervisor.mjs');
  const order = {
    command: process.execPath,
    args: ['-e', program, programs],
    signals: ['SIGINT', 'SIGTERM'],
    killAfterMs,
    pidFile,
  };
  return spawn(
    process.execPath,
    [
      '-e',
      `const s = require("node:child_process").spawn(process.execPath, [${JSON.stringify(supervisor)}], { stdio: ["ignore", "pipe", "pipe", "ipc"], detached: true });
       s.send(${JSON.stringify(order)}); process.stdout.write(String(s.pid)); ${stay}`,
    ],
    { stdio: ['ignore', 'pipe', 'ignore'], env: { ...process.env, YARDMASTER_GROUP: pidFile } },
  );
};

/** Kills the supervisor first, then its owner: nobody is left to end the group. */
const leaveBehind = async (program: string): Promise<number[]> => {
  const owner = startOwner(program, { killAfterMs: 1_000 });
  let supervisor = '';
  owner.stdout.on('data', (chunk: Buffer) => (supervisor += chunk.toString()));
  const left = await until(() => (pids().length === 1 && supervisor !== '' ? pids() : null), { what: 'the command runs' });
  process.kill(Number(supervisor), 'SIGKILL');
  owner.kill('SIGKILL');
  await until(() => !isAlive(Number(supervisor)), { what: 'the supervisor is gone' });
  return left;
};
