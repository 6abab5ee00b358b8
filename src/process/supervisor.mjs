// Runs one command in a process group of its own and ends the whole group when asked, or when whoever asked for it is gone: the channel between
// us closes even on SIGKILL. So a command never outlives the process that started it by more than the grace. It also ends what a command leaves
// behind in its group. Its environment is the command's; src/process/child.ts is the other side.
import { spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';

const endSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
const pollMs = 25;
/** After SIGKILL only a zombie that nobody collects, or a process inside of the kernel, is still there: waiting longer changes nothing. */
const afterKillMs = 1_000;

let child;
let graceMs = 0;
/** @type {Promise<void> | undefined} */
let ending;

process.once('message', start);
process.once('disconnect', () => (child === undefined ? process.exit() : endGroup()));

/** @param {{command: string, args: string[], killAfterMs: number}} order */
function start({ command, args, killAfterMs }) {
  graceMs = killAfterMs;
  process.on('message', endGroup);
  // A service manager's end of everything reaches us beside our owner.
  for (const signal of endSignals) process.on(signal, endGroup);
  try {
    child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'], detached: true });
  } catch (error) {
    // Such as an argument with a NUL.
    void finish({ kind: 'not_started', problem: error.code ?? error.message });
    return;
  }
  child.once('spawn', () => report({ kind: 'started', pid: child.pid }));
  child.once('error', (error) => finish({ kind: 'not_started', problem: error.code ?? error.message }));
  child.once('exit', (code, signal) => finish(signal === null ? { kind: 'exited', code } : { kind: 'signalled', signal }));
}

/** The command's own end is told at once; ours comes when its group is empty, which is what our owner waits for. */
async function finish(end) {
  report(end);
  await endGroup();
  process.exitCode = 0;
  if (process.connected) process.disconnect();
}

function endGroup() {
  ending ??= climb();
  return ending;
}

async function climb() {
  for (const [signal, waitMs] of [
    ['SIGTERM', graceMs],
    ['SIGKILL', afterKillMs],
  ]) {
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
