import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import type { DeployDeps } from '../../activities/deploys/deploy-deps';
import { createDestinationActivities } from '../../activities/deploys/destinations';
import { failureTypes } from '../../src/contracts/errors';
import { noFleetConfig } from '../../src/contracts/fleet-config';
import { makeKamalDeployId } from '../../src/contracts/ids';
import { limits } from '../../src/contracts/limits';
import { listAudit } from '../../src/db/audit';
import { listDestinations } from '../../src/db/deploys/deploy-reads';
import { saveDestinations } from '../../src/db/deploys/destinations';
import { streamResident } from '../../dev/kamal/stand-in/resident';
import { startStandInTestbed, type StandInTestbed } from '../../dev/kamal/stand-in/stand-in-testbed';
import { projectRoot } from '../../src/project-root';
import { makeLockMessage } from '../../src/domain/deploy-lock';
import { defaultRolePorts } from '../../src/domain/role-ports';
import { sensitive } from '../../src/domain/sensitive';
import { createKamal } from '../../src/kamal/create-kamal';
import { SecretUnreadableError } from '../../src/kamal/find-secret';
import { createLog } from '../../src/log';
import { withDatabase } from '../support/database';
import { addDeploy, endDeploy } from '../support/log-rows';

jest.setTimeout(60_000);

const database = withDatabase();
let testbed: StandInTestbed;
let activities: ReturnType<typeof createDestinationActivities>;
/** Throws where a test wants it. */
let findSecret: (destination: string) => void;

beforeAll(async () => {
  testbed = await startStandInTestbed({
    dir: path.join(projectRoot(), '.yardmaster/testbeds', randomUUID()),
    hosts: ['127.0.3.1', '127.0.3.2'],
    destinations: { canada: ['127.0.3.2'], staging: ['127.0.3.1'] },
    fillHosts: true,
    streamChild: streamResident,
  });
  const { username, password } = testbed.registry;
  const secrets = new Map(Object.entries({ ...testbed.secrets, KAMAL_REGISTRY_PASSWORD: password, KAMAL_REGISTRY_USERNAME: username }));
  const log = createLog({ level: 'error', process: 'test', destination: new PassThrough() });
  const unused = async (): Promise<never> => await Promise.reject(new Error('no inspection of a destination needs this'));
  const deps: DeployDeps = {
    pool: database.pool,
    log,
    limits,
    kamal: createKamal({
      bin: testbed.kamalBin,
      configDir: testbed.configDir,
      stateDir: path.join(testbed.configDir, '../state'),
      env: testbed.kamalEnv,
      findSecret(destination, name) {
        findSecret(destination);
        const value = secrets.get(name);
        return value === undefined ? null : sensitive(value);
      },
      streamChild: testbed.streamChild,
      killAfterMs: 2_000,
      configTimeoutMs: 60_000,
      configFreshMs: 600_000,
      log,
    }),
    hosts: { readWorkerPort: unused, readApi: unused, readApiHealth: unused },
    rolePorts: defaultRolePorts,
    workflows: { ensureApplyJob: unused },
    installation: 'test-yard',
    fleetConfig: { read: async () => await Promise.resolve(noFleetConfig) },
    heartbeat: () => undefined,
    cancellation: () => new AbortController().signal,
    draining: new AbortController().signal,
    onDeployEnded: () => undefined,
  };
  activities = createDestinationActivities(deps);
}, 60_000);
afterAll(async () => await testbed.stop());

beforeEach(async () => {
  findSecret = () => undefined;
  await testbed.misbehave();
  await testbed.kamal('lock', 'release', '-d', 'staging');
  await database.pool.query('truncate yardmaster.deploy, yardmaster.destination, yardmaster.audit cascade');
});

const holdLock = async (message: string): Promise<void> => {
  const { code, output } = await testbed.kamal('lock', 'acquire', '-m', message, '-d', 'staging');
  if (code !== 0) throw new Error(output);
};
const lockHolder = async (): Promise<string | null> => await testbed.host('127.0.3.1').lockHolder('staging');
const breakIt = async () => await activities.breakLock({ destination: 'staging', reason: 'she has gone home', actor: 'zoe' });
const acts = async () => {
  const { entries } = await listAudit(database.pool, { actor: 'zoe', act: null, subject: 'staging', since: null, before: null, rows: 10 });
  return entries.toReversed().map(({ act, subjectKind, outcome, detail }) => ({ act, subjectKind, outcome, detail }));
};

describe("Kamal's lock", () => {
  const detail = { reason: 'she has gone home', holder: expect.stringContaining('left by somebody') };
  const begun = { act: 'break_lock_begun', subjectKind: 'destination', outcome: null, detail };

  it('of somebody else is broken by a named act, in the audit before and after it', async () => {
    await holdLock('left by somebody');
    expect(await breakIt()).toMatchObject({ kind: 'broken', detail: expect.stringContaining('left by somebody') });
    expect(await lockHolder()).toBeNull();
    expect(await acts()).toEqual([begun, { ...begun, act: 'lock_broken', outcome: 'broken' }]);
    expect(await breakIt()).toMatchObject({ kind: 'was_free' });
    expect(await acts()).toHaveLength(2);
  });

  it('is no longer shown when it is broken or gone, nor brought back by an inspection that began before', async () => {
    const shown = async () => (await listDestinations(database.pool)).find(({ destination }) => destination === 'staging')?.lock ?? null;
    const inspect = async () => {
      const seen = await activities.readDestination({ destination: 'staging', want: 'state' });
      if (seen.want !== 'state') throw new Error(`it saw ${seen.want}`);
      return seen;
    };
    await holdLock('left by somebody');
    const { state, destinations } = await inspect();
    expect(await shown()).toMatchObject({ message: 'left by somebody' });
    await breakIt();
    expect(await shown()).toBeNull();
    await saveDestinations(database.pool, [state], destinations);
    expect(await shown()).toBeNull();

    await holdLock('left again');
    await inspect();
    await testbed.kamal('lock', 'release', '-d', 'staging');
    expect(await breakIt()).toMatchObject({ kind: 'was_free' });
    expect(await shown()).toBeNull();
  });

  it('is in the audit also when nobody lives to tell that it was broken', async () => {
    await holdLock('left by somebody');
    await testbed.misbehave({ on: 'lock release', do: { killSelf: 'SIGKILL' } });
    await expect(breakIt()).rejects.toThrow('Kamal did not release the lock');
    expect(await acts()).toEqual([begun]);
  });

  it('of a deploy that is under way stays, and of one that has ended is broken', async () => {
    const deployId = await addDeploy(database.pool, { destination: 'staging' });
    const workflowId = makeKamalDeployId({ service: 'ghosthands', destination: 'staging' });
    const message = makeLockMessage({ installation: 'test-yard', workflowId, deployId });
    await holdLock(message);
    expect(await breakIt()).toMatchObject({ kind: 'refused', detail: expect.stringContaining(deployId) });
    expect(await lockHolder()).not.toBeNull();
    expect(await acts()).toEqual([]);
    await endDeploy(database.pool, deployId, 'broken');
    expect(await breakIt()).toMatchObject({ kind: 'broken' });
    expect(await lockHolder()).toBeNull();
  });
});

describe('an inspection', () => {
  it('of an audit that Kamal cannot read is no empty audit', async () => {
    expect(await activities.readDestination({ destination: 'staging', want: 'audit' })).toMatchObject({ want: 'audit' });
    await testbed.misbehave({ on: 'audit', do: { exitCode: 1 } });
    await expect(activities.readDestination({ destination: 'staging', want: 'audit' })).rejects.toThrow(
      "Kamal's audit could not be read: exit code 1",
    );
  });

  it('of a version names the service of the configuration, and of a state all destinations', async () => {
    await testbed.push('v1');
    expect(await activities.readDestination({ destination: 'staging', want: 'version', version: 'v1' })).toEqual({
      want: 'version',
      version: 'v1',
      service: 'ghosthands',
      resolved: 'v1',
      problem: null,
    });
    expect(await activities.readDestination({ destination: 'staging', want: 'state' })).toMatchObject({
      state: { destination: 'staging' },
      destinations: ['canada', 'staging'],
    });
  });

  it.each(['state', 'version', 'config'] as const)('of the %s where a secret cannot be read says so', async (want) => {
    findSecret = () => {
      throw new SecretUnreadableError('/secrets/A cannot be read: EACCES');
    };
    const seen = await activities.readDestination({ destination: 'staging', want, version: 'v1' });
    expect(JSON.stringify(seen)).toContain('/secrets/A cannot be read: EACCES');
  });

  it('of all of them goes on behind one that fails', async () => {
    findSecret = (destination) => {
      if (destination === 'canada') throw new Error('the disk is gone');
    };
    await activities.refreshDestinations(null);
    expect((await listDestinations(database.pool)).map(({ destination, problem }) => ({ destination, problem }))).toEqual([
      { destination: 'staging', problem: null },
    ]);
  });

  it('of a destination whose file is broken blames the file, and calls nothing right that was not inspected', async () => {
    const file = path.join(testbed.configDir, 'config/deploy.alias.yml');
    await writeFile(file, 'servers: *nope\n');
    const unusable = 'the configuration of alias cannot be used: config: config/deploy.alias.yml is no YAML that Kamal reads';
    const at = { destination: 'alias' };
    try {
      expect(await activities.readDestination({ ...at, want: 'config' })).toEqual({
        want: 'config',
        kamal: { isOk: false, detail: 'was not asked' },
        config: { isOk: false, detail: expect.stringContaining('is no YAML that Kamal reads') },
        secrets: { isOk: false, detail: 'were not looked for' },
      });
      expect(await activities.readDestination({ ...at, want: 'version', version: 'v1' })).toMatchObject({
        service: null,
        problem: expect.stringContaining(unusable),
      });
      const refused = { type: failureTypes.invalidInput, message: expect.stringContaining(unusable) };
      await expect(activities.readDestination({ ...at, want: 'audit' })).rejects.toMatchObject(refused);
      await expect(activities.breakLock({ ...at, reason: 'she has gone home' })).rejects.toMatchObject(refused);
    } finally {
      await rm(file);
    }
  });

  it('of a destination whose ERB fails says so: a deploy to it is refused before it begins, and the list names it', async () => {
    const file = path.join(testbed.configDir, 'config/deploy.erb.yml');
    await writeFile(file, 'servers:\n  web:\n    hosts: [<%= raise "no such stage" %>]\n');
    const said = 'config: kamal config refuses the configuration: RuntimeError: no such stage';
    try {
      expect(await activities.readDestination({ destination: 'erb', want: 'version', version: 'v1' })).toMatchObject({
        service: null,
        resolved: null,
        problem: `the configuration of erb cannot be used: ${said}`,
      });
      await activities.refreshDestinations(['erb']);
      expect((await listDestinations(database.pool)).find(({ destination }) => destination === 'erb')?.problem).toBe(said);
    } finally {
      await rm(file);
    }
  });

  it("of anything runs none of the project's hooks, and the act of a person does", async () => {
    const folder = path.join(testbed.configDir, '.kamal/hooks');
    const ran = path.join(testbed.configDir, 'ran');
    await mkdir(folder);
    await writeFile(path.join(folder, 'pre-connect'), `#!/bin/sh\necho x >>'${ran}'\n`, { mode: 0o755 });
    try {
      await activities.refreshDestinations(null);
      for (const want of ['state', 'audit', 'config', 'version'] as const)
        await activities.readDestination({ destination: 'staging', want, version: 'v1' });
      expect(existsSync(ran)).toBe(false);
      await activities.breakLock({ destination: 'staging', reason: 'she has gone home' });
      expect(existsSync(ran)).toBe(true);
    } finally {
      await rm(folder, { recursive: true });
      await rm(ran, { force: true });
    }
  });

  it('of all of them shows the one whose file is broken beside the others', async () => {
    const file = path.join(testbed.configDir, 'config/deploy.alias.yml');
    await writeFile(file, 'servers: *nope\n');
    try {
      await activities.refreshDestinations(null);
      const seen = await listDestinations(database.pool);
      expect(seen.map(({ destination }) => destination)).toEqual(['alias', 'canada', 'staging']);
      expect(seen[0]?.problem).toMatch(/^config: config\/deploy\.alias\.yml is no YAML that Kamal reads/);
    } finally {
      await rm(file);
    }
  });
});
