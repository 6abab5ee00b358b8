// Runs one server (Postgres, Temporal) for a development process and ends it when that process ends, however it ends: the owner holds the
// other side of this process's stdin, and the kernel closes a pipe even on SIGKILL. No native code, no polling; works on Linux and macOS.
// It lives in a session of its own, so that a Ctrl-C in the terminal reaches the owner only, and the servers are stopped last.
import { spawn } from 'node:child_process';
import { openSync, rmSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';

/** @type {{ownerPid: number, command: string, args: string[], logFile: string, pidFile: string, uid?: number, gid?: number, stopSignal: NodeJS.Signals, stopWithinMs: number}} */
const order = JSON.parse(process.argv[2]);

const log = openSync(order.logFile, 'a');
const child = spawn(order.command, order.args, { stdio: ['ignore', log, log], uid: order.uid, gid: order.gid, detached: true });

child.once('error', (error) => {
  writeFileSync(log, `could not start ${order.command}: ${error.message}\n`);
  process.exit(127);
});
child.once('spawn', () => {
  writeFileSync(order.pidFile, JSON.stringify({ ownerPid: order.ownerPid, keeperPid: process.pid, serverPid: child.pid }));
});
child.once('exit', (code, signal) => {
  rmSync(order.pidFile, { force: true });
  process.exit(code ?? 128 + (constants.signals[signal ?? 'SIGKILL'] ?? 9));
});

let isStopping = false;
function stop() {
  if (isStopping) return;
  isStopping = true;
  child.kill(order.stopSignal);
  setTimeout(() => child.kill('SIGKILL'), order.stopWithinMs).unref();
}

process.stdin.once('end', stop).once('error', stop).resume();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, stop);
