// Runs one hook of Kamal's in its place. Kamal leaves a hook's input open, so one that asks would wait for ever (kamal §7): here it meets the end of its input.
// What it says passes through as it comes, and its end is kept in a file while it runs, so that whoever has to end a hook that hangs can name it and its
// question. Started by the wrappers that src/kamal/hooks.ts writes: `hook-runner.mjs <folder of the files> <hook> <arguments>`.
import { spawn } from 'node:child_process';
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** A question is a line or two; more is kept so that a cut falls into no secret (src/process/output-tail.ts). */
const keptBytes = 16_384;
/** A flood is written down when it pauses, and now and then. */
const writeEveryMs = 50;

const [folder, hook, ...args] = process.argv.slice(2);
const file = folder && path.join(folder, String(process.pid));
let said = Buffer.alloc(0);
let timer;

writeDown();
const child = spawn(hook, args, { stdio: ['ignore', 'pipe', 'pipe'] });
for (const name of ['stdout', 'stderr']) {
  child[name].on('data', (chunk) => {
    said = Buffer.concat([said, chunk]).subarray(-keptBytes);
    timer ??= setTimeout(writeDown, writeEveryMs);
    // A full pipe makes the hook wait, as it would without us.
    if (!process[name].write(chunk)) child[name].pause();
  });
  process[name].on('drain', () => child[name].resume());
  // Kamal is gone, and with it whoever would read.
  process[name].on('error', () => child[name].destroy());
}
child.once('error', (error) => {
  // In the words and with the numbers of a shell, which Kamal would have started it with.
  process.stderr.write(`${hook}: ${error.code === 'EACCES' ? 'Permission denied' : error.message}\n`);
  finish(error.code === 'ENOENT' ? 127 : 126);
  child.removeAllListeners('close');
});
child.once('close', (code, signal) => {
  if (signal === null) return finish(code);
  finish(1);
  process.kill(process.pid, signal);
});

function finish(code) {
  clearTimeout(timer);
  timer = null;
  if (file) rmSync(file, { force: true });
  process.exitCode = code;
}

function writeDown() {
  timer = undefined;
  if (!file) return;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  // Renamed into its place: whoever reads it after a kill reads all of it.
  writeFileSync(`${file}.new`, JSON.stringify({ hook: path.basename(hook), said: said.toString('base64') }), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
