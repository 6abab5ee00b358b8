// What Kamal writes, as it writes it (kamal §2, kamal §5): SSHKit's pairs of lines, headings, one red error line at the end, all on stdout.
import { randomBytes } from 'node:crypto';
import { readFileSync, writeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** Ruby fills this before it writes to a pipe. */
const bufferBytes = 8_192;

export function createOutput({ isQuiet, env = process.env }) {
  let waiting = '';
  const isSync = process.stdout.isTTY === true || asksForSync(env.RUBYOPT ?? '');

  const flush = () => {
    if (waiting !== '') writeAll(1, waiting);
    waiting = '';
  };
  const write = (text) => {
    waiting += text;
    if (isSync || waiting.length >= bufferBytes) flush();
  };

  return {
    flush,
    write,
    /** Bytes that no string can hold, such as half a character. */
    writeBytes: (bytes) => {
      flush();
      writeAll(1, bytes);
    },
    say: (text) => !isQuiet && write(`${text}\n`),
    /** Said with -q too: the answer itself. */
    print: (text) => write(`${text}\n`),
    heading: (host) => !isQuiet && write(`App Host: ${host}\n`),
    /** Red whatever TERM says. */
    error: (kind, message) => write(`  \u001B[31mERROR (${kind}): ${message}\u001B[0m\n`),
    /** The pair of lines around one command on one host; `act` answers `{status, stdout, stderr}`. */
    async around(host, command, act, { isQuietAlways = false } = {}) {
      const id = randomBytes(4).toString('hex');
      const isSilent = isQuiet || isQuietAlways;
      const startedAt = performance.now();
      if (!isSilent) write(`  INFO [${id}] Running ${command} on ${host}\n`);
      const done = await act();
      const seconds = ((performance.now() - startedAt) / 1000).toFixed(3);
      const how = done.status === 0 ? 'successful' : 'failed';
      if (!isSilent) write(`  INFO [${id}] Finished in ${seconds} seconds with exit status ${done.status} (${how}).\n`);
      return done;
    },
    info: (text) => !isQuiet && write(`  INFO ${text}\n`),
  };
}

/** `RUBYOPT=-r<file>` with a file that turns the buffering off (kamal §5). */
function asksForSync(rubyOptions) {
  const file = /(?:^|\s)-r\s*(\S+)/.exec(rubyOptions)?.[1];
  if (!file) return false;
  for (const candidate of [file, `${file}.rb`]) {
    try {
      return /\$stdout\.sync\s*=\s*true/i.test(readFileSync(candidate, 'utf8'));
    } catch {
      // Ruby, too, tries the name with .rb behind it.
    }
  }
  return false;
}

/** A full pipe makes us wait, as it makes Ruby wait: nothing is lost, and nothing piles up here. */
function writeAll(descriptor, text) {
  let bytes = Buffer.from(text);
  while (bytes.length > 0) {
    try {
      bytes = bytes.subarray(writeSync(descriptor, bytes));
    } catch (error) {
      // The reader is gone: Ruby dies of EPIPE here.
      if (error.code === 'EPIPE') process.exit(1);
      if (error.code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}

export const pause = async (ms) => await delay(ms);
