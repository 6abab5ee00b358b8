import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import type { KamalOptions, OpenedKamal } from '../../src/kamal/kamal';
import { deployYml, openSession, type TestProject } from '../support/kamal-project';
import { createStandInProject } from '../support/stand-in-project';

// What Kamal says the configuration is; the stand-in says it as the real one does (test/deploys/kamal-real.test.ts).
let theirs: TestProject;
let bin: string;
let timesRun: (command: string) => number;

beforeEach(() => ({ theirs, bin, timesRun } = createStandInProject()));
afterEach(() => theirs.remove());

const env = { PATH: process.env.PATH ?? '', SERVICE: 'ghosthands', HOST_A: '10.0.0.1', DEPLOY_TOKEN: 'planted-token-4711' };
const createKamal = (options: Partial<KamalOptions> = {}) => theirs.createKamal({ bin, env, ...options });
const writtenFile = (name: string): string =>
  readFileSync(
    path.join(theirs.stateDir, 'deploy-1', readdirSync(path.join(theirs.stateDir, 'deploy-1'))[0] ?? '', 'project', name),
    'utf8',
  );
const refusalOf = (opened: OpenedKamal): string => {
  if (opened.kind === 'opened') throw new Error('it was opened');
  return opened.problems.map(({ check, detail }) => `${check}: ${detail}`).join('; ');
};
const open = async (kamal = createKamal()): Promise<OpenedKamal> =>
  await kamal.open({ deployId: 'deploy-1', destination: 'staging', fleetHostsOf: () => ['10.0.0.9'] });

describe('ERB', () => {
  beforeEach(() => {
    theirs.write('config/deploy.yml', deployYml.replace('service: ghosthands', 'service: <%= ENV["SERVICE"] %>'));
    theirs.write(
      'config/deploy.staging.yml',
      'servers:\n  web:\n    hosts: [<%= ENV.fetch("HOST_A") %>]\n  workers:\n    hosts: []\nlabels:\n  text: "<%% is text"\n',
    );
  });

  it('is read as Kamal reads it, and what it came to is what Kamal deploys', async () => {
    const session = await openSession(createKamal(), { fleetHostsOf: () => ['10.0.0.9'] });
    expect(session.destination).toMatchObject({
      service: 'ghosthands',
      hosts: [
        { host: '10.0.0.1', roles: ['web'] },
        { host: '10.0.0.9', roles: ['workers'] },
      ],
      rolesFromFleet: ['workers'],
    });
    expect(writtenFile('config/deploy.yml')).toContain('service: ghosthands\n');
    // Evaluated no second time.
    expect(writtenFile('config/deploy.staging.yml')).toContain('<%% is text');
    expect(writtenFile('config/deploy.staging.yml')).not.toContain('_erbout');
    await session.close();
    expect(readdirSync(theirs.stateDir)).toEqual([]);
  });

  it('is evaluated once for as long as the files stay as they are', async () => {
    const kamal = createKamal();
    for (let n = 0; n < 3; n++) await (await openSession(kamal)).close();
    await kamal.readDestination('staging');
    // Once for what it comes to, once for what Kamal makes of all of it.
    expect(timesRun('config')).toBe(2);
    theirs.write('config/deploy.staging.yml', 'servers:\n  web:\n    hosts: [10.0.0.2]\n  workers:\n    hosts: [10.0.0.2]\n');
    const session = await openSession(kamal);
    expect(session.destination.hosts).toEqual([{ host: '10.0.0.2', roles: ['web', 'workers'] }]);
    await session.close();
    expect(timesRun('config')).toBe(4);
  });

  it('is evaluated again after a while, but not for a deploy that is under way', async () => {
    const kamal = createKamal({ configFreshMs: 0 });
    const session = await openSession(kamal, { isUnderWay: true });
    await session.close();
    await (await openSession(kamal, { isUnderWay: true })).close();
    expect(timesRun('config')).toBe(2);
    await (await openSession(kamal)).close();
    expect(timesRun('config')).toBe(3);
  });

  it.each([
    ['raises', '<%= raise "no such stage" %>', 'kamal config refuses the configuration: RuntimeError: no such stage'],
    [
      'raises with a secret of its environment',
      '<%= raise "no login with #{ENV["DEPLOY_TOKEN"]}" %>',
      'kamal config refuses the configuration: RuntimeError: no login with [redacted]',
    ],
    [
      'raises with a secret that the file names',
      '<%= raise "no login with registry-password-1" %>',
      'RuntimeError: no login with [redacted]',
    ],
    [
      'wants a variable that Kamal does not get',
      '<%= ENV.fetch("NOBODY") %>',
      'KeyError: key not found: "NOBODY"; KAMAL_ENVIRONMENT names the variables that Kamal gets',
    ],
    ['is no Ruby', '<%= what? %>', "NameError: undefined local variable or method 'what?'"],
  ])('that %s is refused in its own words', async (_what, erb, said) => {
    theirs.write('config/deploy.staging.yml', `servers:\n  web:\n    hosts: ["${erb}"]\n  workers:\n    hosts: []\n`);
    const kamal = createKamal();
    expect(refusalOf(await open(kamal))).toContain(said);
    expect((await kamal.readDestination('staging')).problem).toContain(said);
    expect(readdirSync(theirs.stateDir)).toEqual([]);
  });

  it('that hangs is ended at its own deadline', async () => {
    theirs.write('config/deploy.staging.yml', 'servers:\n  web:\n    hosts: ["<%= sleep %>"]\n  workers:\n    hosts: []\n');
    expect(refusalOf(await open(createKamal({ configTimeoutMs: 1_500 })))).toBe(
      'config: kamal config did not end within 1.5 s and was ended: what its ERB (<% … %>) runs must be done by then',
    );
    expect(readdirSync(theirs.stateDir)).toEqual([]);
  });
});

it('is refused where Kamal refuses it, and says what is known of the destination', async () => {
  theirs.write(
    'config/deploy.staging.yml',
    'allow_empty_roles: true\nservers:\n  web:\n    hosts: [10.0.0.1]\n    proxy: false\n  workers: ~\n',
  );
  const opened = await open();
  expect(refusalOf(opened)).toBe(
    'config: kamal config refuses the configuration: Kamal::ConfigurationError: servers/workers: should be an array or a hash',
  );
  expect(opened).toMatchObject({ known: { service: 'ghosthands', hosts: [{ host: '10.0.0.1', roles: ['web'] }] } });
});

it('takes addresses of the sixth version, names with _ and a role without anything for what they are to Kamal', async () => {
  theirs.write('config/deploy.staging.yml', 'servers:\n  web:\n    hosts: ["::1", gh_worker_1: [tagged]]\n  workers: ~\n');
  const session = await openSession(createKamal(), { fleetHostsOf: () => ['gh_worker_1'] });
  expect(session.destination.hosts).toEqual([
    { host: '::1', roles: ['web'] },
    { host: 'gh_worker_1', roles: ['web', 'workers'] },
  ]);
  await session.close();
});

it('is refused where Kamal reads other hosts than we', async () => {
  // Ours and the program's readings differ in what the file does not say.
  theirs.write('config/deploy.staging.yml', 'servers:\n  web:\n    hosts: [10.0.0.1]\n  workers:\n    hosts: [10.0.0.1]\n');
  theirs.write('kamal', '#!/bin/sh\nprintf ":roles:\\n- web\\n:hosts:\\n- 10.6.6.6\\n:primary_host: 10.6.6.6\\n"\n', 0o755);
  expect(refusalOf(await open(createKamal({ bin: path.join(theirs.configDir, 'kamal') })))).toBe(
    'config: Kamal reads the hosts 10.6.6.6 in it, and we read 10.0.0.1',
  );
});
