import type { DeployTestbed } from '../../dev/kamal/deploy-testbed';

/** One command and what comes of it. The same list is run with the real Kamal and with the stand-in, so that the second cannot drift. */
export interface KamalStep {
  title: string;
  args: string[];
  /** Under KAMAL_LOCK=true. */
  withLock?: boolean;
  code: 0 | 1;
  /** In its output, addresses and numbers apart. */
  prints?: RegExp;
  neverPrints?: RegExp;
  /** The version on every host afterwards; null: nothing runs. */
  running: string | null;
  /** The text of the lock afterwards; free unless named. */
  lock?: RegExp;
}

const held = /^Locked by: Yard at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\nVersion: \S+\nMessage: held by a test\n?$/;
const portTaken = /Exceptions on 2 hosts:[^]*Bind for 0\.0\.0\.0:3100 failed: port is already allocated/;
const lockFound =
  /^Deploy lock already in place!\nLocked by: [^]*ERROR \(Kamal::Cli::LockError\): Deploy lock found\. Run 'kamal lock help' for more information/m;
const pair =
  /^ {2}INFO \[([0-9a-f]{8})\] Running .+ on [\d.]+\n[^]*^ {2}INFO \[\1\] Finished in [\d.]+ seconds with exit status 0 \(successful\)\.$/m;

/** Red in every terminal and in none. */
const red = (kind: string, message: string): string => `\\x1b\\[31mERROR \\(${kind}\\): ${message}\\x1b\\[0m`;

/** Versions v1 and v2 are good, `bad` ends at once, `wrong` is of another service; two hosts, nothing deployed yet. */
export const kamalSequence: KamalStep[] = [
  { title: 'tells its version', args: ['version'], code: 0, prints: /^\d+\.\d+\.\d+\n$/, running: null },
  { title: 'knows no such command', args: ['frobnicate'], code: 1, prints: /^Could not find command "frobnicate"\.\n$/, running: null },
  {
    title: 'wants a destination',
    args: ['config'],
    code: 1,
    prints: new RegExp(`^  ${red('ArgumentError', 'You must specify a destination')}\n$`),
    running: null,
  },
  {
    title: 'finds no such destination',
    args: ['config', '-d', 'nowhere'],
    code: 1,
    prints: /ERROR \(RuntimeError\): Configuration file not found in .*\/config\/deploy\.nowhere\.yml/,
    running: null,
  },
  {
    title: 'shows the configuration',
    args: ['config', '-d', 'staging'],
    code: 0,
    prints: /^---\n:roles:\n- web\n- workers\n:hosts:\n/,
    running: null,
  },
  {
    title: 'rolls back to nothing without a version',
    args: ['rollback', '-d', 'staging'],
    code: 1,
    prints: /ERROR: "kamal rollback" was called with no arguments/,
    running: null,
  },
  {
    title: 'locks nothing without a message',
    args: ['lock', 'acquire', '-d', 'staging'],
    code: 1,
    prints: /No value provided for required options '--message'/,
    running: null,
  },
  { title: 'finds no lock', args: ['lock', 'status', '-d', 'staging'], code: 0, prints: /^There is no deploy lock\n$/, running: null },
  { title: 'says nothing of no lock when quiet', args: ['lock', 'status', '-q', '-d', 'staging'], code: 0, prints: /^$/, running: null },
  { title: 'releases no lock', args: ['lock', 'release', '-d', 'staging'], code: 0, prints: /^There is no deploy lock\n$/, running: null },
  { title: 'pulls for every host', args: ['build', 'pull', '-d', 'staging', '--version', 'v1'], code: 0, prints: pair, running: null },
  {
    title: 'deploys a first version',
    args: ['deploy', '-P', '-d', 'staging', '--version', 'v1'],
    code: 0,
    prints:
      /^Pull app image\.\.\.\n[^]*^Acquiring the deploy lock\.\.\.\n[^]*^ {2}INFO Container is healthy!\n[^]*^Releasing the deploy lock\.\.\.\n {2}Finished all in [\d.]+ seconds\n$/m,
    running: 'v1',
  },
  {
    title: 'tells the version of each host, unnamed when quiet',
    args: ['app', 'version', '-q', '-d', 'staging'],
    code: 0,
    prints: /^v1\n\nv1\n\n$/,
    running: 'v1',
  },
  {
    title: 'tells the version under the name of its host',
    args: ['app', 'version', '-d', 'staging'],
    code: 0,
    prints: /^App Host: [\d.]+\nv1\n$/m,
    running: 'v1',
  },
  {
    title: 'touches nothing when it cannot pull',
    args: ['build', 'pull', '-d', 'staging', '--version', 'nope'],
    code: 1,
    prints:
      /ERROR \(SSHKit::Command::Failed\): Exceptions on 2 hosts:\nException while executing on host [\d.]+: docker exit status: 125\ndocker stdout: Nothing written\ndocker stderr: [^]*manifest unknown/,
    running: 'v1',
  },
  {
    title: 'refuses an image of another service',
    args: ['build', 'pull', '-d', 'staging', '--version', 'wrong'],
    code: 1,
    prints: /is missing the 'service' label/,
    running: 'v1',
  },
  {
    title: 'fails on the taken port when nothing was stopped, and leaves the old version',
    args: ['deploy', '-P', '-d', 'staging', '--version', 'v2'],
    code: 1,
    prints: portTaken,
    running: 'v1',
  },
  {
    title: 'stops the app',
    args: ['app', 'stop', '-d', 'staging'],
    code: 0,
    prints: /^Acquiring the deploy lock\.\.\.\n[^]*^Releasing the deploy lock\.\.\.\n$/m,
    running: null,
  },
  {
    title: 'tells empty versions of stopped hosts',
    args: ['app', 'version', '-q', '-d', 'staging'],
    code: 0,
    prints: /^\s*$/,
    running: null,
  },
  { title: 'deploys the next version after a stop', args: ['deploy', '-P', '-d', 'staging', '--version', 'v2'], code: 0, running: 'v2' },
  {
    title: 'ends well when it rolls back to a version that was never there',
    args: ['rollback', 'nope', '-d', 'staging'],
    code: 0,
    prints:
      /The app version 'nope' is not available as a container \(use 'kamal app containers' for available versions\)\n[^]*Finished all in/,
    running: 'v2',
  },
  {
    title: 'fails on the taken port when it rolls back without a stop',
    args: ['rollback', 'v1', '-d', 'staging'],
    code: 1,
    prints: portTaken,
    running: 'v2',
  },
  { title: 'stops again', args: ['app', 'stop', '-d', 'staging'], code: 0, running: null },
  { title: 'rolls back after a stop', args: ['rollback', 'v1', '-d', 'staging'], code: 0, prints: /Finished all in/, running: 'v1' },
  {
    title: 'takes the lock',
    args: ['lock', 'acquire', '-m', 'held by a test', '-d', 'staging'],
    code: 0,
    prints: /^Acquired the deploy lock\n$/m,
    running: 'v1',
    lock: held,
  },
  {
    title: 'shows who holds the lock',
    args: ['lock', 'status', '-q', '-d', 'staging'],
    code: 0,
    prints: /^Message: held by a test$/m,
    running: 'v1',
    lock: held,
  },
  {
    title: 'does not take a lock twice',
    args: ['lock', 'acquire', '-m', 'x', '-d', 'staging'],
    code: 1,
    prints: lockFound,
    running: 'v1',
    lock: held,
  },
  {
    title: 'stops nothing under the lock of another',
    args: ['app', 'stop', '-d', 'staging'],
    code: 1,
    prints: lockFound,
    running: 'v1',
    lock: held,
  },
  {
    title: 'stops under its own lock, and leaves it',
    args: ['app', 'stop', '-d', 'staging'],
    withLock: true,
    code: 0,
    neverPrints: /deploy lock/,
    running: null,
    lock: held,
  },
  {
    title: 'deploys under its own lock, and leaves it',
    args: ['deploy', '-P', '-d', 'staging', '--version', 'v2'],
    withLock: true,
    code: 0,
    neverPrints: /deploy lock/,
    running: 'v2',
    lock: held,
  },
  { title: 'stops before a bad version', args: ['app', 'stop', '-d', 'staging'], withLock: true, code: 0, running: null, lock: held },
  {
    title: 'does not bring the old version back when the new one dies',
    args: ['deploy', '-P', '-d', 'staging', '--version', 'bad'],
    withLock: true,
    code: 1,
    prints: /ERROR Failed to boot web on [\d.]+\n[^]*ERROR \(/,
    running: null,
    lock: held,
  },
  {
    title: 'starts the old version again',
    args: ['app', 'start', '-d', 'staging', '--version', 'v2'],
    withLock: true,
    code: 0,
    running: 'v2',
    lock: held,
  },
  {
    title: 'releases a lock, whoever took it',
    args: ['lock', 'release', '-d', 'staging'],
    code: 0,
    prints: /^Released the deploy lock\n$/,
    running: 'v2',
  },
  {
    title: 'keeps an audit of what was done',
    args: ['audit', '-q', '-d', 'staging'],
    code: 0,
    prints: /^\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\] \[yard@127\.0\.0\.1\] \[staging\] \[web\] Booted app version v1$/m,
    running: 'v2',
  },
  {
    title: 'runs a command on the hosts',
    args: ['server', 'exec', '-q', '-d', 'staging', 'df -Pk .'],
    code: 0,
    prints: /Available/,
    running: 'v2',
  },
  {
    title: 'ends well when it starts a version that is not there',
    args: ['app', 'start', '-d', 'staging', '--version', 'never'],
    code: 0,
    prints:
      /^ {2}INFO \[([0-9a-f]{8})\] Running docker start ghosthands-web-staging-never on [\d.]+\n[^]*^ {2}INFO \[\1\] Finished in [\d.]+ seconds with exit status \d+ \(failed\)\.$/m,
    running: 'v2',
  },
];

/** What has come of it on the hosts, whatever Kamal says. */
export const stateOf = async (testbed: DeployTestbed): Promise<{ running: string | null; lock: string | null }> => {
  const versions = new Set(await Promise.all(testbed.hosts.map(async (host) => await host.runningVersion())));
  if (versions.size !== 1) throw new Error(`the hosts run ${[...versions].join(' and ')}`);
  return { running: [...versions][0] ?? null, lock: (await testbed.hosts[0]?.lockHolder('staging')) ?? null };
};

/** Runs it, and tells in the same words as `endOf` what came of it; its output only where that is the fault. */
export const runStep = async (testbed: DeployTestbed, step: KamalStep): Promise<object> => {
  const { code, output } = await (step.withLock ? testbed.kamalWithLock(...step.args) : testbed.kamal(...step.args));
  const isAsExpected = (step.prints?.test(output) ?? true) && step.neverPrints?.test(output) !== true;
  return { code, ...(await stateOf(testbed)), output: isAsExpected ? 'as expected' : output };
};

export const endOf = ({ code, running, lock }: KamalStep): object => ({
  code,
  running,
  lock: lock ? (expect.stringMatching(lock) as string) : null,
  output: 'as expected',
});

/** One command for both hosts, of which one cannot be reached, under our lock. */
export interface SilentHostStep {
  title: string;
  args: string[];
  code: 0 | 1;
  /** On the host that answers, afterwards; the other one keeps what it runs. */
  running: string | null;
}

const refused = /Errno::ECONNREFUSED|Connection refused/;

/** What the others get of a command that one host does not answer: both run v2 before, and the second one is silent. */
export const silentHostSequence: SilentHostStep[] = [
  { title: 'tells no version of its own accord', args: ['app', 'version', '-q'], code: 1, running: 'v2' },
  { title: 'stops the other, and fails', args: ['app', 'stop'], code: 1, running: null },
  { title: 'starts the other, and fails', args: ['app', 'start', '--version=v2'], code: 1, running: 'v2' },
  { title: 'pulls for the other, and fails', args: ['build', 'pull', '--version=v1'], code: 1, running: 'v2' },
  { title: 'stops the other again', args: ['app', 'stop'], code: 1, running: null },
  { title: 'boots the new version on none', args: ['deploy', '-P', '--version=v1'], code: 1, running: null },
  { title: 'takes no lock', args: ['lock', 'acquire', '-m', 'x'], code: 1, running: null },
];

/** Takes the hosts from v2 on both to v2 on both. */
export const playSilentHost = async (testbed: DeployTestbed): Promise<object[]> => {
  const [answering, silent] = testbed.hosts;
  if (answering === undefined || silent === undefined) throw new Error('it takes two hosts');
  await silent.stopSsh();
  const seen: object[] = [];
  for (const { title, args } of silentHostSequence) {
    const { code, output } = await testbed.kamalWithLock(...args, '-d', 'staging');
    seen.push({ title, code, running: await answering.runningVersion(), saysWhy: refused.test(output) && output.includes(silent.ip) });
  }
  const primary = ['lock', 'acquire', '-m', 'x', '-d', 'staging', `--hosts=${answering.ip}`];
  const taken = await testbed.kamal(...primary);
  seen.push({ title: 'takes the lock of the primary host alone', code: taken.code, lock: await answering.lockHolder('staging') });
  const status = await testbed.kamal('lock', 'status', '-q', '-d', 'staging');
  seen.push({ title: 'shows it', code: status.code, lock: /^Message: x$/m.test(status.output) });
  await testbed.kamal('lock', 'release', '-d', 'staging');
  seen.push({ title: 'the other goes on', running: await silent.runningVersion() });
  await silent.startSsh();
  const back = await testbed.kamal('app', 'start', '--version=v2', '-d', 'staging');
  seen.push({ title: 'both answer again', code: back.code, ...(await stateOf(testbed)) });
  return seen;
};

export const endOfSilentHost = (): object[] => [
  ...silentHostSequence.map(({ title, code, running }) => ({ title, code, running, saysWhy: true })),
  { title: 'takes the lock of the primary host alone', code: 0, lock: expect.stringMatching(/^Message: x$/m) as string },
  { title: 'shows it', code: 0, lock: true },
  { title: 'the other goes on', running: 'v2' },
  { title: 'both answer again', code: 0, running: 'v2', lock: null },
];
