// The ways in which a run can go wrong, as a test orders them in control.json, or in control.<destination>.json: a list of {on, at, times, do}.
// `on` is the beginning of the command line (`app stop`), `at` one of its steps (default: `start`), `times` how often (default: always), `do` what
// happens there.
import { appendFileSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pause } from './output.mjs';

export class KamalError extends Error {
  constructor(kind, message) {
    super(message);
    this.kind = kind;
  }
}

export function createMisbehaviour({ world, words, options, output }) {
  const { destination } = options;
  const files = ['control.json', `control.${destination}.json`].map((name) => path.join(world.dir, name));

  /** Takes one of the times that a rule has left; two runs at once may both take the last. */
  const take = (file, step) => {
    if (!existsSync(file)) return [];
    const rules = JSON.parse(readFileSync(file, 'utf8'));
    const due = rules.filter((rule) => matches(rule, words, step) && (rule.times ?? Number.POSITIVE_INFINITY) > 0);
    if (due.some((rule) => rule.times !== undefined)) {
      for (const rule of due) if (rule.times !== undefined) rule.times -= 1;
      writeFileSync(`${file}.${process.pid}`, JSON.stringify(rules));
      renameSync(`${file}.${process.pid}`, file);
    }
    return due.map((rule) => rule.do);
  };

  let exitCode;
  let hasNoEffect = false;
  return {
    get exitCode() {
      return exitCode;
    },
    /** The command says its lines and changes nothing. */
    get hasNoEffect() {
      return hasNoEffect;
    },
    /** Says that the run has come to this step, and does there what was ordered. */
    async reach(step) {
      appendFileSync(
        path.join(world.dir, 'steps.ndjson'),
        `${JSON.stringify({ at: new Date().toISOString(), pid: world.pid, destination, hosts: options.hosts?.split(','), command: words, step })}\n`,
      );
      for (const order of files.flatMap((file) => take(file, step))) {
        if (order.exitCode !== undefined) ({ exitCode } = order);
        if (order.noEffect) hasNoEffect = true;
        await act(order, { world, output });
      }
    },
  };
}

const matches = (rule, words, step) => rule.on.split(' ').every((word, index) => words[index] === word) && (rule.at ?? 'start') === step;

/** The longest that a timer can be set to. */
const forEverMs = 2 ** 31 - 1;

/** In this order, when one order holds several. */
async function act(order, { world, output }) {
  for (const line of order.print ?? []) output.print(line);
  for (const line of order.printOnStderr ?? []) world.write('stderr', Buffer.from(`${line}\n`));
  for (let line = 1; line <= (order.floodLines ?? 0); line++) output.print(`  INFO [0000feed] flood line ${line}`);
  if (order.longLineBytes) output.print(`long ${'x'.repeat(order.longLineBytes)}`);
  if (order.cutUtf8) await cutInTheMiddle(order, { world, output });
  for (let percent = 0; percent <= 100 && order.progress; percent += 20) {
    output.write(`\rpulling ${percent} %`);
    if (percent === 100) output.write('\n');
  }
  if (order.unfinishedLine) output.write(order.unfinishedLine);
  if (order.grandchild) world.startGrandchild(order.grandchild);
  if (order.ignoreSignals) world.ignoreSignals();
  if (order.sleepMs) await pause(world, order.sleepMs);
  await untilFileIsThere(order, world);
  if (order.silentMs) {
    output.flush();
    await pause(world, order.silentMs);
  }
  if (order.prompt) output.write(order.prompt);
  // Kamal waits also where nobody can answer (kamal §5).
  if (order.prompt) await pause(world, forEverMs);
  if (order.killSelf) world.kill(order.killSelf);
  // What it has ordered itself reaches it a moment later.
  if (order.killSelf) await pause(world, 60_000);
  if (order.error) throw new KamalError(order.error.class ?? 'SSHKit::Command::Failed', order.error.message);
}

async function untilFileIsThere({ untilFile }, world) {
  while (untilFile && !existsSync(untilFile)) await pause(world, 20);
}

/**
 * Writes that end within a character, for a reader that decodes each chunk by itself. A busy machine hands several on as one: who must see a cut names
 * a file, and gets no more than the first until it is there.
 */
async function cutInTheMiddle(order, { world, output }) {
  const bytes = Buffer.from('größer – 部署 ✓\n');
  for (const [from, to] of [
    [0, 3],
    [3, 5],
    [5, 11],
    [11, 13],
    [13, bytes.length],
  ]) {
    output.writeBytes(bytes.subarray(from, to));
    await untilFileIsThere(order, world);
    await pause(world, 20);
  }
}
