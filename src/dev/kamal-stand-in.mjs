#!/usr/bin/env node
// Kamal's command line without servers: hosts, containers, images, lock and audit are files under KAMAL_STAND_IN_DIR, and a control file there
// makes it misbehave (kamal-stand-in/misbehaviour.mjs). It says what Kamal 2.11 says, and lies where Kamal lies (kamal §2): the same commands
// (test/support/kamal-sequence.ts) are run by both, in test/deploys/kamal-yard.test.ts and test/integration/kamal-stand-in.test.ts.
import { parseArgs } from 'node:util';
import { commands } from './kamal-stand-in/commands.mjs';
import { readConfig } from './kamal-stand-in/config.mjs';
import { createMisbehaviour, KamalError } from './kamal-stand-in/misbehaviour.mjs';
import { createOutput } from './kamal-stand-in/output.mjs';
import { createRun } from './kamal-stand-in/run.mjs';

const dir = process.env.KAMAL_STAND_IN_DIR;
const kamalVersion = '2.11.0';
/** Kamal asks git; here there is always the same commit. */
const gitVersion = '4f1c2d3e4a5b6c7d8e9f0a1b2c3d4e5f60718293';

process.exitCode = await main(process.argv.slice(2));

async function main(argv) {
  const { values: options, positionals: words } = parseArgs({
    args: argv,
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
  const name = [words.slice(0, 2).join(' '), words[0] ?? ''].find((candidate) => Object.hasOwn(commands, candidate));
  if (name === undefined) return refuse(`Could not find command "${words.join(' ')}".`);
  const command = commands[name];
  const args = words.slice(name.split(' ').length);
  if (command.needs === 'version' && args.length === 0) {
    return refuse(`ERROR: "kamal ${name}" was called with no arguments\nUsage: "kamal ${name} [VERSION]"`);
  }
  if (command.needs === 'message' && options.message === undefined) return refuse("No value provided for required options '--message'");

  const output = createOutput({ isQuiet: options.quiet === true });
  const misbehaviour = createMisbehaviour({ dir, words, destination: options.destination, output });
  leaveTheLockBehind(output);
  let code = 0;
  try {
    await misbehaviour.reach('start');
    if (name === 'version') output.print(kamalVersion);
    else {
      const version = (command.needs === 'version' ? args[0] : options.version) ?? process.env.VERSION ?? gitVersion;
      const config = readConfig({ configFile: options['config-file'], destination: options.destination, version });
      await command.run(createRun({ dir, config, options, args, output, misbehaviour, environment: process.env }));
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

function refuse(text) {
  process.stderr.write(`${text}\n`);
  return 1;
}

/** Ruby writes what it has and dies of the signal; Kamal releases no lock then (kamal §4). */
function leaveTheLockBehind(output) {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.once(signal, () => {
      output.flush();
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
    });
  }
}
