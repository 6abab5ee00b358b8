// node dev/tools/bootstrap.mjs <demo|test|test-faults|test-deploys|bench|stack|schema-dump> [arguments]
// What `npm run demo`, `npm test` and `npm run bench` begin with. It runs before anything is installed, so it uses Node alone. The program
// itself then runs in this process, not in a child: a signal has one receiver, and the servers end with it (dev/tools/keeper.mjs).
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { Module } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { flags } from './flags.cjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const at = (...parts) => path.join(root, ...parts);
const build = at('.yardmaster/build');
const jest = at('node_modules/jest/bin/jest.js');
const startedAt = performance.now();

const programs = {
  demo: { file: path.join(build, 'dev/tools/demo.js'), isCompiled: true },
  test: { file: jest, isCompiled: true, env: { TEST_LANE: 'short' } },
  'test-faults': { file: jest, isCompiled: true, env: { TEST_LANE: 'faults' } },
  'test-deploys': { file: jest, isCompiled: true, env: { TEST_LANE: 'deploys' } },
  bench: { file: path.join(build, 'bench/run.js'), isCompiled: true, before: installBench },
  stack: { file: path.join(build, 'dev/tools/stack-command.js'), isCompiled: true },
  'schema-dump': {
    file: jest,
    arguments: ['test/integration/migrate.test.ts'],
    env: { WRITE_SCHEMA_DUMP: '1' },
  },
};

await main(process.argv[2], process.argv.slice(3));

async function main(name, args) {
  const program = Object.hasOwn(programs, name ?? '') ? programs[name] : undefined;
  if (!program) fail(`Say what to run: ${Object.keys(programs).join(', ')}`);
  checkNode();
  if (Object.hasOwn(flags, name)) checkFlags(name, args);
  endWithNpm();
  await installDependencies(root);
  await program.before?.(args);
  if (program.isCompiled) {
    await compile();
    await bundleWorkflows();
  }
  if (!existsSync(program.file)) fail(`${path.relative(root, program.file)} is not there: "${name}" has not been written yet`);
  // For the account of the lane's time.
  Object.assign(process.env, program.env, { LANE_STARTED_AT: String(performance.timeOrigin) });
  process.argv = [process.argv[0], program.file, ...(program.arguments ?? []), ...args];
  Module.runMain(program.file);
}

/** Before the minute that an installation takes. The program reads the same flags again. */
function checkFlags(name, args) {
  const options = flags[name];
  const known = Object.entries(options).map(([flag, { value, says, default: byItself }]) => {
    const usage = value ? `--${flag} ${value}` : `--${flag}`;
    return `  ${usage.padEnd(34)} ${says}${value && byItself ? ` (${byItself})` : ''}`;
  });
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(`npm run ${name} -- [flags]\n\n${known.join('\n')}\n`);
    process.exit(0);
  }
  try {
    parseArgs({ args, options });
  } catch (error) {
    // Node goes on with advice about positional arguments, of which there are none.
    fail(`${error.message.split('. ')[0]}. npm run ${name} knows:\n${known.join('\n')}`);
  }
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  fail(`Node ${process.versions.node} is too old: 20.19 or newer is needed (https://nodejs.org)`);
}

/**
 * npm passes signals on, but when it is killed itself nobody tells us: we see it by the ancestors that we then get. Between npm and us may be
 * a shell (dash on Linux; where the shell is replaced by us, as on macOS, the parent is enough).
 */
function endWithNpm() {
  if (!process.env.npm_lifecycle_event) return;
  const ancestors = () => `${process.ppid} ${parentOf(process.ppid)}`;
  const atStart = ancestors();
  setInterval(() => {
    if (ancestors() === atStart) return;
    setTimeout(() => process.exit(1), 15_000).unref();
    process.kill(process.pid, 'SIGTERM');
  }, 1_000).unref();
}

function parentOf(pid) {
  try {
    // The command's name, which may hold anything, ends at the last parenthesis.
    return readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1).split(' ')[1];
  } catch {
    // No /proc (macOS), or the process has ended.
    return 'unknown';
  }
}

async function installDependencies(folder) {
  if (!existsSync(path.join(folder, 'package-lock.json')) || isInstalled(folder)) return;
  const what = path.relative(root, path.join(folder, 'package-lock.json'));
  // NODE_ENV=production would leave out what compiles and tests. The progress bar is useless in a log.
  const args = ['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund', '--no-progress'];
  const npm = process.env.npm_execpath?.endsWith('npm-cli.js') ? [process.execPath, process.env.npm_execpath] : ['npm'];
  await runStep(`Installs the locked dependencies (${what})`, [...npm, ...args], { cwd: folder });
}

/** The peers are large, and measured where they are named or everything is. */
async function installBench(args) {
  await installDependencies(at('bench'));
  const { values } = parseArgs({ args, options: flags.bench });
  if (values.only?.includes('peers') ?? !values.quick) await installDependencies(at('bench/peers'));
}

/** Compares what npm says it has installed with what is locked; times of files say little after a checkout or an interrupted install. */
function isInstalled(folder) {
  const hasWritten = path.join(folder, 'node_modules/.package-lock.json');
  if (!existsSync(hasWritten)) return false;
  const installed = JSON.parse(readFileSync(hasWritten, 'utf8')).packages;
  const locked = JSON.parse(readFileSync(path.join(folder, 'package-lock.json'), 'utf8')).packages;
  const isSame = (name) => installed[name].version === locked[name]?.version && installed[name].integrity === locked[name]?.integrity;
  const mayBeAbsent = ({ optional, devOptional, peer }) => optional || devOptional || peer;
  return (
    Object.keys(installed).every(isSame) &&
    Object.keys(locked).every((name) => name === '' || name in installed || mayBeAbsent(locked[name]))
  );
}

async function compile() {
  const compiler = at('node_modules/typescript/bin/tsc');
  const remember = ['--incremental', '--tsBuildInfoFile', path.join(build, 'tsbuildinfo.json')];
  // A deleted build with a remembered one would compile nothing, so both live in one folder.
  await runStep('Compiles the sources', [process.execPath, compiler, '-p', 'tsconfig.dev.json', '--outDir', build, ...remember]);
}

async function bundleWorkflows() {
  if (!existsSync(at('workers/bundle-workflows.ts'))) return;
  const bundle = path.join(build, 'workflow-bundle.js');
  const inputs = ['workflows', 'src/contracts', 'src/domain'].flatMap((folder) => filesUnder(path.join(build, folder)));
  const newestAt = Math.max(...[...inputs, at('package-lock.json')].map((file) => statSync(file).mtimeMs));
  if (existsSync(bundle) && statSync(bundle).mtimeMs > newestAt) return;
  await runStep('Bundles the workflows', [process.execPath, path.join(build, 'workers/bundle-workflows.js')]);
}

function filesUnder(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.js'))
    .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name));
}

/** One line when it begins, one every 10 s while it lasts; what it printed is shown only when it fails. */
async function runStep(title, [command, ...args], options = {}) {
  const began = performance.now();
  say(title);
  const progress = setInterval(() => say(`${title}: still at it after ${seconds(began)} s`), 10_000);
  const child = spawn(command, args, { cwd: root, ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  const output = [];
  child.stdout.on('data', (chunk) => output.push(chunk));
  child.stderr.on('data', (chunk) => output.push(chunk));
  const problem = await new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(code === 0 ? '' : `it ended with ${signal ?? `code ${code}`}`));
  });
  clearInterval(progress);
  if (problem) fail(`${Buffer.concat(output).toString()}\n${title}: failed, ${problem}`);
}

function say(line) {
  process.stderr.write(`[${seconds(startedAt).padStart(5)} s] ${line}\n`);
}

function seconds(since) {
  return ((performance.now() - since) / 1000).toFixed(1);
}

function fail(message) {
  process.stderr.write(`${message.trim()}\n`);
  process.exit(1);
}
