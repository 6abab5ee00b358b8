import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { type KeptProcessOptions, startKeptProcess } from '../../../dev/tools/kept-process';
import { projectRoot } from '../../../src/project-root';
import { until } from '../../support/until';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'yardmaster-kept-'));
});
afterEach(() => rm(dir, { recursive: true }));

test('ends the server when its owner is killed', async () => {
  // The owner is a process of its own, so that it can be killed: it does what startKeptProcess does.
  const order = { ...server(), ownerPid: 1, pidFile: path.join(dir, 'server.pid'), logFile: path.join(dir, 'server.log') };
  const owner = spawn(process.execPath, [
    '-e',
    `require('child_process').spawn(process.execPath, [process.argv[1], process.argv[2]], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })`,
    path.join(projectRoot(), 'dev/tools/keeper.mjs'),
    JSON.stringify(order),
  ]);
  const { serverPid, keeperPid } = await pids();
  owner.kill('SIGKILL');
  await until(() => !isAlive(serverPid) && !isAlive(keeperPid), { what: 'server and keeper have ended' });
  expect(existsSync(order.pidFile)).toBe(false);
});

test('kills a server that does not stop in its time', async () => {
  const stubborn = await startKeptProcess({ ...server(`process.on('SIGTERM', () => undefined);`), stopWithinMs: 200 });
  const { serverPid } = await pids();
  await until(async () => (await readFile(stubborn.logFile, 'utf8')).includes('serves'), { what: 'it serves' });
  await stubborn.stop();
  expect(isAlive(serverPid)).toBe(false);
});

test('ends the server of an owner that was killed together with the keeper, before it starts another', async () => {
  const first = await startKeptProcess(server());
  const { keeperPid, serverPid } = await pids();
  process.kill(keeperPid, 'SIGKILL');
  await first.ended;
  expect(isAlive(serverPid)).toBe(true);

  const second = await startKeptProcess(server());
  expect(isAlive(serverPid)).toBe(false);
  await pids();
  await second.stop();
});

test('refuses to start a second server beside one that is in use, and names the process that uses it', async () => {
  const first = await startKeptProcess(server());
  await pids();
  await expect(startKeptProcess(server())).rejects.toThrow(`in use by process ${process.pid}`);
  await first.stop();
});

test('tells the end of the log when the server ends before it is ready', async () => {
  const broken = await startKeptProcess(server(`console.error('no such setting: x'); process.exit(3);`));
  await expect(broken.untilReady(() => Promise.resolve(false), 10_000)).rejects.toThrow(/ended with code 3[^]*no such setting: x/);
});

test('tells a program that cannot be started', async () => {
  const missing = await startKeptProcess({ ...server(), command: path.join(dir, 'missing') });
  await expect(missing.untilReady(() => Promise.resolve(false), 10_000)).rejects.toThrow(/could not start .*missing: .*ENOENT/);
});

function server(firstStatement = ''): KeptProcessOptions {
  const program = `${firstStatement} console.log('serves'); setInterval(() => undefined, 1000);`;
  // The directory is among the arguments, as it is for real servers: by it a leftover server is recognised.
  return { name: 'server', dir, command: process.execPath, args: ['-e', program, dir], stopSignal: 'SIGTERM', stopWithinMs: 5_000 };
}

async function pids(): Promise<{ serverPid: number; keeperPid: number }> {
  return until(async () => JSON.parse(await readFile(path.join(dir, 'server.pid'), 'utf8')), { what: 'the server has started' });
}

/** An ended process that nobody has waited for still answers to signals on Linux, as a zombie. */
function isAlive(pid: number): boolean {
  try {
    const isZombie = existsSync(`/proc/${pid}/stat`) && / Z \d+ /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
    return process.kill(pid, 0) && !isZombie;
  } catch {
    // No such process.
    return false;
  }
}
