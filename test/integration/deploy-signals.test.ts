import { randomUUID } from 'node:crypto';
import { PassThrough } from 'node:stream';
import { createDeployWorkActivities } from '../../activities/deploys/deploys';
import { noFleetConfig } from '../../src/contracts/fleet-config';
import { makeKamalDeployId } from '../../src/contracts/ids';
import { limits } from '../../src/contracts/limits';
import { recordCancelRequest } from '../../src/db/deploys/deploys';
import { parseFields } from '../../src/domain/field-rules';
import { defaultRolePorts } from '../../src/domain/role-ports';
import { messageShapes, starts } from '../../src/domain/workflow-inputs';
import { createLog } from '../../src/log';
import { withDatabase } from '../support/database';
import { addDeploy } from '../support/log-rows';

const database = withDatabase();
const unused = async (): Promise<never> => await Promise.reject(new Error('no signal needs this'));
const staging = { service: 'ghosthands', destination: 'staging' };
let activities: ReturnType<typeof createDeployWorkActivities>;

beforeAll(() => {
  const known = { ...staging, hosts: [], rolesFromFleet: [], secretNames: [], registry: null, deployTimeoutSeconds: 30, problem: null };
  activities = createDeployWorkActivities({
    pool: database.pool,
    log: createLog({ level: 'error', process: 'test', destination: new PassThrough() }),
    limits,
    kamal: {
      open: unused,
      endLeftovers: unused,
      listDestinations: async () => await Promise.resolve([known.destination]),
      readDestination: async () => await Promise.resolve(known),
    },
    hosts: { readWorkerPort: unused, readApi: unused, readApiHealth: unused },
    rolePorts: defaultRolePorts,
    workflows: { ensureApplyJob: unused },
    installation: 'test',
    fleetConfig: { read: async () => await Promise.resolve(noFleetConfig) },
    heartbeat: () => undefined,
    cancellation: () => new AbortController().signal,
    draining: new AbortController().signal,
    onDeployEnded: () => undefined,
  });
});
beforeEach(async () => await database.pool.query('truncate yardmaster.deploy, yardmaster.audit cascade'));

/** As where the deployer dies before the act is in the audit. */
const dying = async (act: () => Promise<unknown>): Promise<void> => {
  await database.pool.query(`alter table yardmaster.audit add constraint dies check (false)`);
  await expect(act()).rejects.toThrow('dies');
  await database.pool.query(`alter table yardmaster.audit drop constraint dies`);
};
const acts = async (): Promise<string[]> =>
  (await database.pool.query<{ act: string }>('select act from yardmaster.audit')).rows.map(({ act }) => act);
const lines = async (): Promise<string[]> =>
  (await database.pool.query<{ line: string }>('select line from yardmaster.deploy_log order by seq')).rows.map(({ line }) => line);

test.each(['cancel', 'reject'] as const)('a %s whose deployer dies in the middle of it is done once, and logged once', async (kind) => {
  const deployId = await addDeploy(database.pool, staging);
  const signal = async () => await activities.noteDeployWord({ deployId, kind, actor: 'zoe', reason: 'too slow' });
  await dying(signal);
  expect(await signal()).toMatchObject({ direction: 'back' });
  expect(await lines()).toEqual([`${kind === 'cancel' ? 'cancelled' : 'rejected'} by zoe: too slow`]);
  expect(await acts()).toEqual([`deploy_${kind}`]);
});

test('a cancel of a deploy that stands still turns it, and no repetition of it leaves the hosts as they are', async () => {
  const deployId = await addDeploy(database.pool, staging);
  await database.pool.query(
    `insert into yardmaster.deploy_host (deploy_id, host, roles, batch, state) values ($1, '10.0.0.1', '{web}', 1, 'stopped')`,
    [deployId],
  );
  await database.pool.query(`update yardmaster.deploy set standstill = '{"since":"2026-01-01T00:00:00.000Z","detail":"zoe has it"}'`);
  const cancel = async (leaves: boolean) =>
    await activities.noteDeployWord({ deployId, kind: 'cancel', actor: 'zoe', reason: null, leaves });
  const turned = { phase: 'compensate', direction: 'back', standstill: { detail: 'zoe has it' } };
  expect(await cancel(false)).toMatchObject(turned);
  expect(await cancel(false)).toMatchObject(turned);
  expect(await cancel(true)).toMatchObject({ phase: 'release', standstill: null });
});

test('a cancel that was accepted, and whose workflow was lost before it took it, is carried out by the next one, once', async () => {
  const deployId = await addDeploy(database.pool, staging);
  await recordCancelRequest(database.pool, { deployId, actor: 'zoe', reason: 'too slow' });
  const started = { deployId, destination: 'staging', version: 'v1', workflowId: makeKamalDeployId(staging), owner: randomUUID() };
  expect(await activities.openDeploy(started)).toMatchObject({ direction: 'back', cancelRequestedBy: 'zoe' });
  expect(await activities.openDeploy(started)).toMatchObject({ direction: 'back' });
  expect(await lines()).toEqual(['cancelled by zoe']);
});

test('P8: what a person typed into a signal or a start of a deploy is kept without its passwords, and cut', async () => {
  const typed = `token=hunter2planted ask planted@applicant.test\u0000${' because'.repeat(190_000)}`;
  const deployId = await addDeploy(database.pool, staging);
  const taken = parseFields({ deployId, actor: typed, reason: typed }, messageShapes.toDeploy).input;
  const view = await activities.noteDeployWord({ deployId, kind: 'cancel', actor: taken?.actor ?? '', reason: taken?.reason ?? null });
  const owner = randomUUID();
  await database.pool.query(`update yardmaster.deploy set outcome = 'aborted', phase = 'done', ended_at = now()`);
  const started = parseFields({ destination: 'staging', version: 'v1', actor: typed, reason: typed }, starts.kamalDeploy).input;
  if (started === null) throw new Error('the border refuses it');
  const opened = await activities.openDeploy({ ...started, workflowId: makeKamalDeployId(staging), owner });
  const { rows } = await database.pool.query<{ row: string }>(
    `select d::text as row from yardmaster.deploy d union all select a::text from yardmaster.audit a union all select l::text from yardmaster.deploy_log l`,
  );
  const all = JSON.stringify([rows, view, opened]);
  expect(all).toContain('token=[redacted] ask [e-mail] because');
  expect(all).not.toMatch(/hunter2planted|planted@/);
  expect(Math.max(...rows.map(({ row }) => row.length))).toBeLessThan(5_000);
});

test('a deploy that was started by hand is in the audit, also when its deployer dies as it writes the row', async () => {
  const owner = randomUUID();
  const input = { destination: 'staging', version: 'v1', actor: 'zoe', workflowId: makeKamalDeployId(staging), owner };
  const open = async () => await activities.openDeploy(input);
  await dying(open);
  expect(await open()).toMatchObject({ deployId: owner, actor: 'zoe' });
  expect(await acts()).toEqual(['deploy']);
});
