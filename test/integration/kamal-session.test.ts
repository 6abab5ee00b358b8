import { readFileSync, readdirSync, readlinkSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { sensitive } from '../../src/domain/sensitive';
import { appVersion, lockStatus, type KamalCommand } from '../../src/kamal/commands';
import { createFindSecret } from '../../src/kamal/find-secret';
import type { Kamal } from '../../src/kamal/kamal';
import { parseAppVersions } from '../../src/kamal/output';
import { isAlive, killLeftPrograms, readPids, stay } from '../support/child-programs';
import { answerConfig, createTestProject, openSession, runOptions, type TestProject } from '../support/kamal-project';
import { until } from '../support/until';

// A program that we can see through, in the place of Kamal; the real one is in kamal-real.test.ts.
let theirs: TestProject;
let kamal: Kamal;
let bin: string;
/** Where the program writes its pid. */
let pidFile: string;

beforeEach(() => {
  theirs = createTestProject();
  bin = path.join(theirs.dir, 'program');
  pidFile = path.join(theirs.dir, 'pids');
  kamal = theirs.createKamal({ bin });
  play('');
});
afterEach(() => {
  try {
    killLeftPrograms(pidFile);
  } finally {
    theirs.remove();
  }
});

const play = (program: string): void =>
  writeFileSync(bin, `#!${process.execPath}\nconst args = process.argv.slice(2); ${answerConfig} ${program}`, { mode: 0o755 });
const command: KamalCommand = { name: 'anything', args: ['any', 'thing'] };
const remember = (): string => `require("node:fs").appendFileSync(${JSON.stringify(pidFile)}, process.pid + "\\n");`;
/** The private directory of the one deploy. */
const findRun = (deployId = 'deploy-1'): string =>
  path.join(theirs.stateDir, deployId, readdirSync(path.join(theirs.stateDir, deployId))[0] ?? '');

describe('a command', () => {
  it('gets its destination, and no secret in its arguments or environment', async () => {
    play('console.log(JSON.stringify({ args, env: process.env }))');
    const session = await openSession(kamal);
    const { output } = await session.run(command, runOptions());
    await session.close();
    expect(JSON.parse(output)).toMatchObject({ args: ['any', 'thing', '--destination=staging'] });
    for (const value of theirs.secrets.values()) expect(output).not.toContain(value);
    expect(output).not.toContain('[redacted]');
  });

  it('has the lock only when it is told so', async () => {
    play('console.log(process.env.KAMAL_LOCK, process.env.KAMAL_OTHER)');
    const session = await openSession(
      theirs.createKamal({ bin, env: { PATH: process.env.PATH ?? '', KAMAL_LOCK: 'true', KAMAL_OTHER: 'x' } }),
    );
    expect((await session.run(command, runOptions())).output).toBe('undefined undefined');
    expect((await session.run(command, runOptions({ hasLock: true }))).output).toBe('true undefined');
    await session.close();
  });

  it('shows its lines at once, without secrets, and in the end what it said of its failure', async () => {
    play(`console.error("warn"); process.stdout.write("pass database-pass"); setTimeout(() => { console.log("word@ and registry-password-1");
      console.log("  \\x1b[31mERROR (SSHKit::Command::Failed): Exception\\nover two lines\\x1b[0m"); process.exit(1); }, 100);`);
    theirs.secrets.set('DATABASE_URL', 'database-password@');
    const lines: string[] = [];
    const session = await openSession(kamal);
    const ended = await session.run(command, runOptions({ onLine: ({ stream, line }) => void lines.push(`${stream} ${line}`) }));
    await session.close();
    expect(lines.toSorted()).toEqual([
      'stderr warn',
      'stdout   ERROR (SSHKit::Command::Failed): Exception',
      'stdout over two lines',
      'stdout pass [redacted] and [redacted]',
    ]);
    expect(ended).toMatchObject({
      end: { kind: 'exited', code: 1 },
      error: { class: 'SSHKit::Command::Failed', message: 'Exception\nover two lines' },
    });
  });

  it('is stopped when its lines are refused', async () => {
    play(`console.log("a"); ${remember()} ${stay}`);
    const session = await openSession(kamal);
    const ended = await session.run(command, runOptions({ onLine: () => Promise.reject(new Error('no room')) }));
    expect(ended.end).toEqual({ kind: 'stopped' });
    await session.close();
  });

  it('leaves a fact whole that ends as a secret begins, which a line that is shown may not', async () => {
    const version = `v-${Buffer.from('data').toString('hex')}`;
    play(`process.stdout.write("of database-password@\\n${version}")`);
    theirs.secrets.set('DATABASE_URL', 'database-password@');
    const lines: string[] = [];
    const session = await openSession(kamal);
    const { output } = await session.run(command, runOptions({ onLine: ({ line }) => void lines.push(line) }));
    await session.close();
    expect(output).toBe(`of [redacted]\n${version}`);
    expect(lines).toEqual(['of [redacted]', 'v-[redacted]']);
  });

  it('keeps the end of a flood', async () => {
    play(
      'let n = 0; (function go() { while (n++ < 50000) if (!process.stdout.write(`line ${n}\\n`)) return process.stdout.once("drain", go); })()',
    );
    const session = await openSession(kamal);
    let count = 0;
    const { output } = await session.run(command, runOptions({ onLine: () => void (count += 1) }));
    await session.close();
    expect(count).toBe(50_000);
    expect(output.endsWith('line 49999\nline 50000')).toBe(true);
    expect(output.length).toBeLessThan(150_000);
  });

  it('asks each host and role by itself and tells whose answer is whose', async () => {
    theirs.write('config/deploy.staging.yml', 'servers:\n  web:\n    hosts: [10.0.0.1, 10.0.0.2]\n  workers:\n    hosts: [10.0.0.2]\n');
    play(
      'const [host, role] = ["hosts", "roles"].map((n) => args.find((a) => a.startsWith(`--${n}=`))?.split("=")[1]); console.log(role === "workers" ? "" : `${host}-${role}\\n`);',
    );
    const session = await openSession(kamal);
    const { output, end } = await session.run(appVersion(['10.0.0.1', '10.0.0.2']), runOptions());
    await session.close();
    expect(end).toEqual({ kind: 'exited', code: 0 });
    expect(parseAppVersions(output)).toEqual([
      { host: '10.0.0.1', role: 'web', version: '10.0.0.1-web' },
      { host: '10.0.0.2', role: 'web', version: '10.0.0.2-web' },
    ]);
  });

  it('has failed when one host has failed', async () => {
    theirs.write('config/deploy.staging.yml', 'servers:\n  web:\n    hosts: [10.0.0.1, 10.0.0.2]\n  workers:\n    hosts: [10.0.0.2]\n');
    play('if (args.includes("--hosts=10.0.0.2")) { console.log("  ERROR (Errno::ECONNREFUSED): no"); process.exit(1); }');
    const session = await openSession(kamal);
    const ended = await session.run(appVersion(['10.0.0.1', '10.0.0.2']), runOptions());
    await session.close();
    expect(ended).toMatchObject({ end: { kind: 'exited', code: 1 }, error: { class: 'Errno::ECONNREFUSED', message: 'no' } });
  });
});

describe('the private directory', () => {
  it('is for us alone, holds links to the rest of their project, and is gone after the close', async () => {
    theirs.write('.kamal/hooks/pre-connect', '#!/bin/sh\n', 0o755);
    theirs.write('.kamal/secrets.staging', 'OTHER=$(touch pwned)\n');
    theirs.write('ops/tool.sh', 'x');
    const before = theirs.list(theirs.configDir);
    const session = await openSession(kamal);
    const run = findRun();
    expect(statSync(run).mode & 0o777).toBe(0o700);
    const project = path.join(run, 'project');
    expect(statSync(path.join(project, '.kamal/secrets.staging')).mode & 0o777).toBe(0o600);
    expect(readFileSync(path.join(project, '.kamal/secrets.staging'), 'utf8')).toBe(
      "KAMAL_REGISTRY_PASSWORD='registry-password-1'\nDATABASE_URL='postgres://u:database-password@db:5432/fleet'\nGH_ENVIRONMENT='staging'\n",
    );
    expect(readlinkSync(path.join(project, '.kamal/hooks'))).toBe(path.join(theirs.configDir, '.kamal/hooks'));
    expect(readFileSync(path.join(project, 'ops/tool.sh'), 'utf8')).toBe('x');
    await session.close();
    expect(readdirSync(theirs.stateDir)).toEqual([]);
    expect(theirs.list(theirs.configDir)).toEqual(before);
  });

  it('goes with a command that still runs in it', async () => {
    play(`${remember()} ${stay}`);
    const session = await openSession(kamal);
    const running = session.run(command, runOptions());
    const [pid = 0] = await until(() => (readPids(pidFile).length === 1 ? readPids(pidFile) : null), { what: 'the command runs' });
    await session.close();
    expect((await running).end).toEqual({ kind: 'stopped' });
    expect(isAlive(pid)).toBe(false);
    expect(readdirSync(theirs.stateDir)).toEqual([]);
  });

  it('is gone when something is missing', async () => {
    theirs.secrets.clear();
    const opened = await kamal.open({ deployId: 'deploy-1', destination: 'staging', fleetHostsOf: () => ['127.0.0.1'] });
    expect(opened).toMatchObject({
      kind: 'refused',
      problems: [{ check: 'secrets', detail: 'missing: KAMAL_REGISTRY_PASSWORD, DATABASE_URL' }],
    });
    expect(readdirSync(theirs.stateDir)).toEqual([]);
  });

  it('is gone when a secret cannot be read', async () => {
    symlinkSync('DATABASE_URL', path.join(theirs.dir, 'DATABASE_URL'));
    const environment = new Map([['KAMAL_REGISTRY_PASSWORD', sensitive('registry-password-1')]]);
    const unreadable = theirs.createKamal({ bin, findSecret: createFindSecret({ dir: theirs.dir, environment }) });
    const opened = await unreadable.open({ deployId: 'deploy-1', destination: 'staging', fleetHostsOf: () => ['127.0.0.1'] });
    const detail = `${theirs.dir}/DATABASE_URL cannot be read: ELOOP`;
    expect(opened).toMatchObject({ kind: 'refused', problems: [{ check: 'secrets', detail }] });
    expect(readdirSync(theirs.stateDir)).toEqual([]);
  });

  it.each([
    ['no such destination', 'production', 'there is no config/deploy.production.yml'],
    ['a path for a destination', '../../etc/passwd', 'there is no config/deploy.../../etc/passwd.yml'],
  ])('is gone for %s', async (_what, destination, detail) => {
    const opened = await kamal.open({ deployId: 'deploy-1', destination, fleetHostsOf: () => ['127.0.0.1'] });
    expect(opened).toMatchObject({ kind: 'refused', problems: [{ check: 'config', detail }] });
  });

  it('has no room for an id that is a path', async () => {
    await expect(openSession(kamal, { deployId: '../x' })).rejects.toThrow('"../x" is no id of a deploy');
  });
});

describe('what a killed deployer has left', () => {
  /** As if it had been killed: nobody closes the session, and its owner is somebody who has gone. */
  const leaveBehind = async (): Promise<number> => {
    play(`${remember()} ${stay}`);
    const session = await openSession(kamal);
    void session.run(command, runOptions());
    const [pid = 0] = await until(() => (readPids(pidFile).length === 1 ? readPids(pidFile) : null), { what: 'the command runs' });
    return pid;
  };

  it('is ended and removed when its deploy goes on', async () => {
    const pid = await leaveBehind();
    expect(await kamal.endLeftovers('deploy-2')).toEqual({ endedCommands: 0, problems: [], removedDirectories: 0 });
    expect(isAlive(pid)).toBe(true);
    expect(await kamal.endLeftovers('deploy-1')).toEqual({ endedCommands: 1, problems: [], removedDirectories: 1 });
    expect(isAlive(pid)).toBe(false);
    expect(readdirSync(theirs.stateDir)).toEqual([]);
  });

  it('is left alone at a start while its owner lives, and removed when that is gone', async () => {
    const pid = await leaveBehind();
    expect(await kamal.endLeftovers()).toMatchObject({ removedDirectories: 0 });
    const owner = path.join(findRun(), 'owner.json');
    // The number is somebody else's by now.
    writeFileSync(owner, JSON.stringify({ ...JSON.parse(readFileSync(owner, 'utf8')), startedTicks: '1' }));
    expect(await kamal.endLeftovers()).toEqual({ endedCommands: 1, problems: [], removedDirectories: 1 });
    expect(isAlive(pid)).toBe(false);
  });
});

it('lists the destinations, also one that cannot be deployed, and why', async () => {
  theirs.write('config/deploy.production.yml', 'servers:\n  web:\n    hosts: [10.0.0.1]\n  workers:\n    hosts: [10.0.0.1]\n');
  theirs.write('config/deploy.broken.yml', 'servers: [');
  theirs.write('config/deploy.NOT A NAME.yml', '');
  theirs.write('config/deploy.alias.yml', 'servers: *nope');
  const known = await Promise.all((await kamal.listDestinations()).map(kamal.readDestination));
  expect(known.map(({ destination, hosts, rolesFromFleet }) => ({ destination, hosts, rolesFromFleet }))).toEqual([
    { destination: 'alias', hosts: [], rolesFromFleet: [] },
    { destination: 'broken', hosts: [], rolesFromFleet: [] },
    { destination: 'production', hosts: [{ host: '10.0.0.1', roles: ['web', 'workers'] }], rolesFromFleet: [] },
    { destination: 'staging', hosts: [], rolesFromFleet: ['web', 'workers'] },
  ]);
  expect(known[0]?.problem).toMatch(/^config\/deploy\.alias\.yml is no YAML that Kamal reads: Unresolved alias/);
  expect(known[1]?.problem).toMatch(/^config\/deploy\.broken\.yml is no YAML that Kamal reads/);
});

it('names the secrets that are too short to be hidden, for the log of the deploy', async () => {
  theirs.secrets.set('DATABASE_URL', 'short-7');
  const session = await openSession(kamal);
  expect(session.shownSecrets).toEqual(['DATABASE_URL']);
  await session.close();
});

it('does not hide a word of the configuration that is also given as a secret', async () => {
  play('console.log("deploys staging of ghosthands")');
  theirs.secrets.set('DATABASE_URL', 'ghosthands');
  const session = await openSession(kamal);
  expect((await session.run(lockStatus(), runOptions())).output).toBe('deploys staging of ghosthands');
  await session.close();
});
