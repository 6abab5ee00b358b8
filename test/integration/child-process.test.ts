import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createRedact } from '../../src/domain/redact';
import { sensitive } from '../../src/domain/sensitive';
import { runChild, type ChildOrder, type ChildResult } from '../../src/process/child';
import { ignore, isAlive, killLeftPrograms, readPids, remember, spawnOther, stay } from '../support/child-programs';
import { until } from '../support/until';

let dir: string;
let pidFile: string;

beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'child-process-'));
  pidFile = path.join(dir, 'pids');
});
afterEach(() => {
  try {
    killLeftPrograms(pidFile);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

describe('the end of a command', () => {
  it('is its exit code, with both streams apart', async () => {
    const result = await run('console.log("out"); console.error("err"); process.exit(3)');
    expect(result).toMatchObject({ end: { kind: 'exited', code: 3 }, stdout: 'out\n', stderr: 'err\n' });
  });

  it('is the signal that ended it', async () => {
    expect((await run('process.kill(process.pid, "SIGKILL"); setInterval(() => {}, 1000)')).end).toEqual({
      kind: 'signalled',
      signal: 'SIGKILL',
    });
  });

  it.each<[string, Partial<ChildOrder>, string]>([
    ['a program that is not there', { command: ['/nowhere/at-all'] }, 'ENOENT'],
    ['a program that may not be run', { command: [__filename] }, 'EACCES'],
    ['a directory that is not there', { cwd: '/nowhere/at-all' }, 'ENOENT'],
    ['an argument with a NUL', { command: [process.execPath, 'a\0b'] }, 'ERR_INVALID_ARG_VALUE'],
  ])('is that %s cannot be started', async (_what, order, problem) => {
    expect((await run('', order)).end).toEqual({ kind: 'not_started', problem });
  });

  it('is the first reason, though the command exits with 0 when it is told to end', async () => {
    const result = await run(`${remember} process.on("SIGTERM", () => process.exit(0)); setInterval(() => {}, 1000)`, { timeoutMs: 1_000 });
    expect(result.end).toEqual({ kind: 'timed_out' });
  });

  it('comes by force when the command ignores the graceful signal', async () => {
    const asked = new AbortController();
    const stubborn = `process.on("SIGTERM", () => console.log("not now")); ${remember} ${stay}`;
    const running = run(stubborn, { signal: asked.signal, killAfterMs: 3_000 });
    await until(() => pids().length === 1, { what: 'the command runs' });
    asked.abort();
    expect(await running).toMatchObject({ end: { kind: 'stopped' }, stdout: 'not now\n' });
    expect(pids().filter(isAlive)).toEqual([]);
  });

  it('comes as soon as it is asked for', async () => {
    const asked = new AbortController();
    const running = run(`${remember} ${stay}`, { signal: asked.signal });
    await until(() => pids().length === 1, { what: 'the command runs' });
    asked.abort();
    expect((await running).end).toEqual({ kind: 'stopped' });
    expect(pids().filter(isAlive)).toEqual([]);
  });

  it('is known before the start when it was asked for before', async () => {
    expect((await run(remember, { signal: AbortSignal.abort() })).end).toEqual({ kind: 'stopped' });
    expect(pids()).toEqual([]);
  });
});

describe('what a command leaves behind', () => {
  it('is ended with the command when it stays in the group', async () => {
    const result = await run(`${spawnOther('ignore', false)} process.exit(0)`, { killAfterMs: 300 });
    expect(result.end).toEqual({ kind: 'exited', code: 0 });
    expect(pids()).toHaveLength(1);
    expect(pids().filter(isAlive)).toEqual([]);
  });

  it('does not hold up the result by holding the pipe, in a session of its own', async () => {
    const result = await run(`console.log("before"); ${spawnOther('inherit', true)} process.exit(0)`);
    expect(result).toMatchObject({ end: { kind: 'exited', code: 0 }, stdout: 'before\n' });
    expect(pids().filter(isAlive)).toHaveLength(1);
    for (const pid of pids()) process.kill(pid, 'SIGKILL');
    await until(() => !pids().some(isAlive), { what: 'the session is gone' });
  });
});

describe('output', () => {
  it('is kept to its end, and the command is not held up', async () => {
    const flood =
      'const line = "x".repeat(99) + "\\n"; let n = 0; (function go() { while (n++ < 200000) if (!process.stdout.write(line)) return process.stdout.once("drain", go); console.log("the end"); })()';
    const result = await run(flood, { outputBytesMax: 1_000, timeoutMs: 30_000 });
    expect(result.end).toEqual({ kind: 'exited', code: 0 });
    expect(result.stdout).toMatch(/^\[earlier output left out\]\nx{99}\n/);
    expect(result.stdout).toMatch(/x\nthe end\n$/);
    expect(result.stdout.length).toBeLessThan(1_100);
  });

  it('shows no secret, also where it came in two pieces', async () => {
    const secret = 'correct-horse-battery';
    const result = await run(
      `process.stdout.write("key ${secret.slice(0, 9)}"); setTimeout(() => { process.stderr.write("between"); process.stdout.write("${secret.slice(9)}.") }, 50)`,
      { redact: createRedact([sensitive(secret)]) },
    );
    expect(result).toMatchObject({ stdout: 'key [redacted].', stderr: 'between' });
  });
});

describe('the environment', () => {
  it('is what was given and nothing of ours', async () => {
    process.env.CHILD_TEST_SECRET = 'ours-alone';
    const { stdout } = await run('console.log(JSON.stringify(process.env))', { env: { ONLY: 'this' } });
    delete process.env.CHILD_TEST_SECRET;
    expect(JSON.parse(stdout)).toEqual({ ONLY: 'this' });
  });

  it('passes arguments on as they are, since no shell reads them', async () => {
    const odd = ['$(touch x)', '; ls', 'a b', '"', "'", '', '*', 'ünïcode'];
    const { stdout } = await runChild({
      ...defaults(),
      command: [process.execPath, '-e', 'console.log(JSON.stringify(process.argv.slice(1)))', '--', ...odd],
    });
    expect(JSON.parse(stdout)).toEqual(odd);
  });
});

describe('a kill', () => {
  it('of the process that started a command leaves nothing of the command', async () => {
    const owner = spawn(process.execPath, ['-e', ownerProgram(`${ignore('SIGTERM')} ${remember} ${stay}`)], {
      stdio: 'ignore',
    });
    await until(() => pids().length === 1, { what: 'the command runs' });
    owner.kill('SIGKILL');
    await until(() => !pids().some(isAlive), { what: 'the command is gone' });
    expect(pids()).toHaveLength(1);
  });

  it('of the supervisor ends the command too, and says that it is lost', async () => {
    const running = run(`console.log(process.ppid); ${remember} ${stay}`);
    const [command] = await until(() => (pids().length === 1 ? pids() : null), { what: 'the command runs' });
    process.kill(await parentOf(command ?? 0), 'SIGKILL');
    expect((await running).end).toEqual({ kind: 'lost' });
    await until(() => !pids().some(isAlive), { what: 'the command is gone' });
  });
});

const defaults = (): Omit<ChildOrder, 'command'> => ({
  env: { PATH: process.env.PATH ?? '' },
  timeoutMs: 20_000,
  killAfterMs: 1_000,
  outputBytesMax: 65_536,
  redact: createRedact(),
});

/** Runs a program of one line in a Node of its own; its first argument is the file for pids. */
const run = async (program: string, order: Partial<ChildOrder> = {}): Promise<ChildResult> =>
  await runChild({ ...defaults(), command: [process.execPath, '-e', program, pidFile], ...order });

/** The owner is another Node, which alone is killed; it says to the supervisor what src/process/child.ts says. */
const ownerProgram = (program: string): string => {
  const supervisor = path.join(__dirname, '../../src/process/supervisor.mjs');
  const order = { command: process.execPath, args: ['-e', program, pidFile], signals: ['SIGTERM'], killAfterMs: 300, pidFile: null };
  return `const s = require("node:child_process").spawn(process.execPath, [${JSON.stringify(supervisor)}], { stdio: ["ignore", "pipe", "pipe", "ipc"], detached: true });
    s.send(${JSON.stringify(order)}); setInterval(() => {}, 1000);`;
};

function pids(): number[] {
  return readPids(pidFile);
}

/** `ps` where there is no /proc. */
const parentOf = async (pid: number): Promise<number> => {
  const { stdout } = await runChild({ ...defaults(), command: ['ps', '-o', 'ppid=', '-p', String(pid)] });
  return Number(stdout);
};
