#!/usr/bin/env node
// The stand-in as a program: real pipes, real signals. The same without a process is stand-in/resident.ts.
import { spawn } from 'node:child_process';
import { writeSync } from 'node:fs';
import { runCommandLine } from './stand-in/command-line.mjs';

const gracefulSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** @type {import('./stand-in/command-line.mjs').World} */
const world = {
  dir: process.env.KAMAL_STAND_IN_DIR,
  env: process.env,
  cwd: process.cwd(),
  pid: process.pid,
  isTerminal: process.stdout.isTTY === true,
  write: (stream, bytes) => writeAll(stream === 'stdout' ? 1 : 2, bytes),
  wait: async (promise) => await promise,
  /** Ruby writes what it has and dies of the signal. */
  beforeSignal(act) {
    for (const signal of gracefulSignals) {
      process.once(signal, () => {
        act();
        process.removeAllListeners(signal);
        process.kill(process.pid, signal);
      });
    }
  },
  kill: (signal) => process.kill(process.pid, signal),
  ignoreSignals() {
    for (const signal of gracefulSignals) process.removeAllListeners(signal).on(signal, () => undefined);
  },
  startGrandchild({ ms = 600_000, ignoreTerm = false, ownSession = false }) {
    const program = `${ignoreTerm ? 'process.on("SIGTERM",()=>{});process.on("SIGINT",()=>{});' : ''}setTimeout(()=>{},${ms})`;
    spawn(process.execPath, ['-e', program, 'kamal-stand-in-grandchild'], {
      stdio: ['ignore', 'inherit', 'inherit'],
      detached: ownSession,
    }).unref();
  },
};

process.exitCode = await runCommandLine(process.argv.slice(2), world);

/** A full pipe makes us wait, as it makes Ruby wait: nothing is lost, and nothing piles up here. */
function writeAll(descriptor, bytes) {
  for (let left = bytes; left.length > 0;) {
    try {
      left = left.subarray(writeSync(descriptor, left));
    } catch (error) {
      // The reader is gone: Ruby dies of EPIPE here.
      if (error.code === 'EPIPE') process.exit(1);
      if (error.code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}
