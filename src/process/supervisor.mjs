// Runs one command in a process group of its own and ends the whole group when asked, or when whoever asked for it is gone: the channel between
// us closes even on SIGKILL. So a command never outlives the process that started it by more than the grace. It also ends what a command leaves
// behind in its group. Its environment is the command's; src/process/stream-child.ts is the other side. Should even we be killed, the pid file tells
// src/process/leftovers.ts what to end.
import { spawn } from 'node:child_process';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

const endSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
const pollMs = 25;
/** After SIGKILL only a zombie that nobody collects, or a process inside of the kernel, is still there: waiting longer changes nothing. */
const afterKillMs = 1_000;

let child;
let order;
/** @type {Promise<void> | undefined} */
let ending;

process.once('message', start);
process.once('disconnect', () => (child === undefined ? process.exit() : endGroup()));

/** @param {{command: string, args: string[], signals: string[], killAfterMs: number, pidFile: string | null}} received */
function start(received) {
  order = received;
  process.on('message', endGroup);
  // A service manager's end of everything reaches us beside our owner.
  for (const signal of endSignals) process.on(signal, endGroup);
  try {
    // Without a terminal and with an empty input, a question that nobody can answer fails instead of waiting.
    child = spawn(order.command, order.args, { stdio: ['ignore', 'inherit', 'inherit'], detached: true });
    if (child.pid !== undefined && order.pidFile !== null) writePidFile(child.pid);
  } catch (error) {
    // Such as an argument with a NUL, or a pid file that cannot be written: then nothing may run, since nobody could end it later.
    void endGroup().then(() => finish({ kind: 'not_started', problem: error.code ?? error.message }));
    return;
  }
  child.once('spawn', () => report({ kind: 'started', pid: child.pid }));
  child.once('error', (error) => finish({ kind: 'not_started', problem: error.code ?? error.message }));
  child.once('exit', (code, signal) => finish(signal === null ? { kind: 'exited', code } : { kind: 'signalled', signal }));
}

function writePidFile(pid) {
  const stat = readOrNull(`/proc/${pid}/stat`);
  const startedTicks = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  const bootId = readOrNull('/proc/sys/kernel/random/boot_id')?.trim() ?? null;
  // Renamed into its place: who reads it after a kill reads all of it or nothing.
  writeFileSync(`${order.pidFile}.new`, JSON.stringify({ pid, startedTicks, bootId }), { mode: 0o600 });
  renameSync(`${order.pidFile}.new`, order.pidFile);
}

function readOrNull(file) {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    // Only Linux has /proc.
    return null;
  }
}

/** The command's own end is reported at once; ours comes when its group is empty, which is what our owner waits for. */
async function finish(end) {
  report(end);
  await endGroup();
  if (order.pidFile !== null && !signalGroup(0)) rmSync(order.pidFile, { force: true });
  process.exitCode = 0;
  if (process.connected) process.disconnect();
}

function endGroup() {
  ending ??= climb();
  return ending;
}

async function climb() {
  const gracefulMs = order.killAfterMs / order.signals.length;
  for (const [signal, waitMs] of [...order.signals.map((graceful) => [graceful, gracefulMs]), ['SIGKILL', afterKillMs]]) {
    if (!signalGroup(signal)) return;
    for (const until = Date.now() + waitMs; Date.now() < until && signalGroup(0);) await delay(pollMs);
  }
}

/** False when the group is empty. */
function signalGroup(signal) {
  if (child?.pid === undefined) return false;
  try {
    process.kill(-child.pid, signal);
    return true;
  } catch (error) {
    // EPERM: somebody else's process is in it (sudo); it is there, and not ours to end.
    return error.code !== 'ESRCH';
  }
}

function report(message) {
  // Nobody listens any more when it fails, and then the end matters, not the report.
  if (process.connected) process.send(message, () => undefined);
}
