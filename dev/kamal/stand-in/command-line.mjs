// Kamal's command line without servers: hosts, containers, images, lock and audit are files in the directory of a test bed, and a control file there
// makes it misbehave (misbehaviour.mjs). It says what Kamal 2.11 says, and lies where Kamal lies (kamal §2); test/support/kamal-sequence.ts
// holds the commands that both are tried on.
import { parseArgs } from 'node:util';
import { commands } from './commands.mjs';
import { readConfig } from './config.mjs';
import { createMisbehaviour, KamalError } from './misbehaviour.mjs';
import { runHook } from './hooks.mjs';
import { createOutput } from './output.mjs';
import { createRun } from './run.mjs';

/**
 * What a run sees of the world besides the files of its test bed: a process has the true one (../stand-in.mjs), a resident one of its own.
 *
 * @typedef {object} World
 * @property {string} dir The test bed's.
 * @property {Readonly<Record<string, string | undefined>>} env
 * @property {string} cwd
 * @property {number} pid
 * @property {boolean} isTerminal
 * @property {(stream: 'stdout' | 'stderr', bytes: Buffer) => void} write
 * @property {<Answer>(promise: Promise<Answer>) => Promise<Answer>} wait Around everything that takes time: when the run was ended meanwhile it
 *   never answers, so that nothing behind it happens.
 * @property {AbortSignal} [ended] Lets go of what is waited for.
 * @property {(act: () => void) => void} beforeSignal What INT, TERM and HUP leave time for.
 * @property {(signal: 'SIGINT' | 'SIGTERM' | 'SIGKILL') => void} kill
 * @property {() => void} [ignoreSignals]
 * @property {(order: { ms?: number, ignoreTerm?: boolean, ownSession?: boolean }) => void} [startGrandchild] It inherits our pipes, and lives on when
 *   we have ended. `ownSession`: the signals to our group do not reach it.
 */

const kamalVersion = '2.11.0';
/** Kamal asks git; here there is always the same commit. */
const gitVersion = '4f1c2d3e4a5b6c7d8e9f0a1b2c3d4e5f60718293';

/**
 * Answers the exit code.
 *
 * @param {readonly string[]} argv
 * @param {World} world
 * @returns {Promise<number>}
 */
export async function runCommandLine(argv, world) {
  const { values: options, positionals: words } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    strict: false,
    options: {
      destination: { type: 'string', short: 'd' },
      version: { type: 'string' },
      hosts: { type: 'string', short: 'h' },
      roles: { type: 'string', short: 'r' },
      primary: { type: 'boolean', short: 'p' },
      'config-file': { type: 'string', short: 'c' },
      verbose: { type: 'boolean', short: 'v' },
      quiet: { type: 'boolean', short: 'q' },
      'skip-hooks': { type: 'boolean', short: 'H' },
      'skip-push': { type: 'boolean', short: 'P' },
      message: { type: 'string', short: 'm' },
    },
  });
  const refuse = (text) => {
    world.write('stderr', Buffer.from(`${text}\n`));
    return 1;
  };
  const name = [words.slice(0, 2).join(' '), words[0] ?? ''].find((candidate) => Object.hasOwn(commands, candidate));
  if (name === undefined) return refuse(`Could not find command "${words.join(' ')}".`);
  const command = commands[name];
  const args = words.slice(name.split(' ').length);
  if (command.needs === 'version' && args.length === 0) {
    return refuse(`ERROR: "kamal ${name}" was called with no arguments\nUsage: "kamal ${name} [VERSION]"`);
  }
  if (command.needs === 'message' && options.message === undefined) return refuse("No value provided for required options '--message'");

  const output = createOutput({ isQuiet: options.quiet === true, world });
  const misbehaviour = createMisbehaviour({ world, words, options, output });
  // Kamal releases no lock then (kamal §4).
  world.beforeSignal(output.flush);
  let code = 0;
  try {
    await misbehaviour.reach('start');
    if (name === 'version') output.print(kamalVersion);
    else {
      const version = (command.needs === 'version' ? args[0] : options.version) ?? world.env.VERSION ?? gitVersion;
      const config = await readConfig({
        world,
        cwd: world.cwd,
        configFile: options['config-file'],
        destination: options.destination,
        version,
      });
      const run = createRun({ world, config, options, args, output, misbehaviour });
      // Kamal's --skip-hooks does not reach the commands of two words (kamal §7).
      run.skipsHooks = options['skip-hooks'] === true && !name.includes(' ');
      if (name !== 'config' && !run.skipsHooks) await runHook(run, 'pre-connect');
      await command.run(run);
    }
    await misbehaviour.reach('end');
  } catch (error) {
    // Node's own errors are faults of this program.
    const [kind, message] = error instanceof KamalError ? [error.kind, error.message] : ['NodeError', error.stack];
    output.error(kind, message);
    code = 1;
  }
  output.flush();
  return misbehaviour.exitCode ?? code;
}
