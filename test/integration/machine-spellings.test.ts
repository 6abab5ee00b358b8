import { randomUUID } from 'node:crypto';
import { limits } from '../../src/contracts/limits';
import type { FleetConfig } from '../../src/contracts/fleet-config';
import {
  holdForDeploy,
  holdForPerson,
  listFleetHosts,
  listJobsOnHosts,
  listUnregisteredHosts,
  markWorkersStopped,
  readDeployHealth,
} from '../../src/db/deploys/deploy-fleet';
import { replaceHosts } from '../../src/db/deploys/deploys';
import { findWorkersById } from '../../src/db/fleet/deregister';
import { listHolds, makeDeployHolder, releaseHolder } from '../../src/db/fleet/holds';
import { withTransaction } from '../../src/db/pool';
import { lookUpRoute } from '../../src/db/commands/routes';
import { countWorkers } from '../../src/db/fleet/worker-counts';
import { listOtherHosts } from '../../src/db/fleet/workers';
import { parseFleetConfig } from '../../src/domain/fleet-config';
import { routeCommand } from '../../src/domain/route-command';
import { fleetListSchema } from '../../src/gateway/compat/atm-schemas';
import { fleetReportSchema, hostAnswerSchema } from '../../src/gateway/schemas/fleet';
import { createWorkflowsClient } from '../../src/gateway/workflows-client';
import { withDatabase } from '../support/database';
import { addWaitingJob, addWorker, assignAll, emptyTables } from '../support/fleet-rows';
import { call, startTestGateway, testKeys, type TestGateway } from '../support/gateway';
import { insertNewDeploy } from '../support/new-deploy';
import { withTemporal } from '../support/temporal';

const host = '10.0.0.7';
const instanceId = 'i-0abc7';
const spellings = ['010.000.000.007', '::ffff:10.0.0.7', '::FFFF:10.0.0.7', '0:0:0:0:0:ffff:0a00:0007'];
const ids = ['I-0ABC7', 'i-0Abc7'];

const database = withDatabase();
const temporal = withTemporal();
let gateway: TestGateway;
let config: FleetConfig = { servers: [], problems: [] };

beforeAll(async () => {
  gateway = await startTestGateway({
    pool: database.pool,
    workflows: createWorkflowsClient(temporal.client, { deadlineMs: 30_000 }),
    fleetConfig: { read: async () => await Promise.resolve(config), current: () => config },
  });
});
afterAll(async () => await gateway.stop());
beforeEach(async () => {
  config = { servers: [], problems: [] };
  await emptyTables(database.pool);
});

const get = async (place: string) => await call(`${gateway.url}${place}`, { key: testKeys.readOnly });
const post = async (place: string) => await call(`${gateway.url}${place}`, { key: testKeys.operator, json: { reason: 'a test' } });
/** GH registers it so; the probe is our own row. */
const register = async (address: string, instance: string = instanceId): Promise<void> => {
  await addWorker(database.pool, { workerId: 'worker', host, instanceId });
  await database.pool.query('update gh_worker_registry set ec2_ip = $1, ec2_instance_id = $2', [address, instance]);
};

describe.each([...spellings, ...ids])('the hold of %s', (spelling) => {
  test('keeps jobs from the worker that it means, and ends by any name of it in that spelling', async () => {
    await register(host);
    await addWaitingJob(database.pool);
    const plain = ids.includes(spelling) ? instanceId : host;
    const held = hostAnswerSchema.parse((await post(`/v1/fleet/hosts/${spelling}/hold`)).body);
    expect(held).toMatchObject({ host: plain, workers: ['worker'] });
    expect(await assignAll(database.pool)).toEqual([]);
    expect((await get('/v1/workers/worker')).body).toMatchObject({ condition: 'held', holds: [{ host: plain }] });
    expect((await post(`/v1/fleet/hosts/${plain}/release`)).body).toMatchObject({ holds: [] });
    await post(`/v1/fleet/hosts/${plain}/hold`);
    expect((await post(`/v1/fleet/hosts/${spelling}/release`)).body).toMatchObject({ holds: [], workers: ['worker'] });
    expect(await assignAll(database.pool)).toMatchObject([{ workerId: 'worker' }]);
  });
});

describe.each(spellings)('a worker that registered %s', (spelling) => {
  beforeEach(async () => await register(spelling, 'I-0ABC7'));

  test('is idle at the one machine that its probe names, and a hold of the plain name is about it', async () => {
    const { hosts } = fleetReportSchema.parse((await get('/v1/fleet')).body);
    expect(hosts).toMatchObject([{ host, health: 'healthy', workers: [{ workerId: 'worker', host, instanceId, condition: 'idle' }] }]);
    expect(hosts).toHaveLength(1);
    expect(await listOtherHosts(database.pool)).toEqual([]);
    await addWaitingJob(database.pool);
    await post(`/v1/fleet/hosts/${instanceId}/hold`);
    expect(await assignAll(database.pool)).toEqual([]);
    await post(`/v1/fleet/hosts/${instanceId}/release`);
    expect(await assignAll(database.pool)).toMatchObject([{ workerId: 'worker', host }]);
  });

  test('owns its job for a cancel, however it registers again', async () => {
    const jobId = await addWaitingJob(database.pool);
    await assignAll(database.pool);
    for (const instance of ['i-0ABC7', 'unknown']) {
      await database.pool.query('update gh_worker_registry set ec2_ip = $1, ec2_instance_id = $2', ['::ffff:a00:7', instance]);
      const { attempt, registry, sandboxHost } = await lookUpRoute(database.pool, jobId, { freshMs: limits.workerHeartbeatFreshMs });
      const route = routeCommand('cancel', { attempt, registry, sandboxHost, listener: 'absent', isOwnerProvenAlive: true });
      expect(route).toMatchObject({ route: 'owner', host });
    }
  });

  test('is known to a deploy to the plain address', async () => {
    expect(await listUnregisteredHosts(database.pool, [host])).toEqual([]);
    const { registered } = await listFleetHosts(database.pool, { destination: 'd', freshMs: 60_000, awayMs: 60_000 });
    expect(registered).toEqual([{ host, isPresent: true }]);
    expect(await markWorkersStopped(database.pool, [host])).toEqual(['worker']);
  });
});

describe.each(['::FFFF:10.0.0.7', 'I-0ABC7'])('a deploy to %s', (spelling) => {
  test('holds the machine, waits for its job and reads its health, and keeps the spelling that Kamal knows', async () => {
    await register(host);
    await addWaitingJob(database.pool);
    const deployId = randomUUID();
    const hosts = [spelling];
    await insertNewDeploy(database.pool, { deployId, owner: 'test' });
    await withTransaction(database.pool, async (client) => {
      await replaceHosts(client, deployId, [{ host: spelling, roles: ['web'], batch: 0, versionBefore: null }]);
    });
    const hold = async (): Promise<string[]> =>
      await withTransaction(
        database.pool,
        async (client) => await holdForDeploy(client, { deployId, hosts, reason: 'deploy of v2', actor: 'test', leaseMs: 60_000 }),
      );
    expect(await hold()).toEqual([spelling]);
    expect(await hold()).toEqual([]);
    expect(await assignAll(database.pool)).toEqual([]);
    expect(await listUnregisteredHosts(database.pool, hosts)).toEqual([]);
    expect(await readDeployHealth(database.pool, deployId, limits)).toMatchObject([
      { host: spelling, registry: 'beating', ports: spelling.startsWith(':') ? { isApiUp: true, isWorkerUp: true } : null },
    ]);
    await releaseHolder(database.pool, makeDeployHolder({ deployId }));
    expect(await assignAll(database.pool)).toHaveLength(1);
    expect(await listJobsOnHosts(database.pool, hosts)).toMatchObject([{ host: spelling, workerId: 'worker' }]);
    await holdForPerson(database.pool, { hosts, reason: 'broken', actor: 'test' });
    expect(await listHolds(database.pool)).toMatchObject([{ host: spelling.startsWith(':') ? host : instanceId }]);
    expect(await markWorkersStopped(database.pool, hosts)).toEqual(['worker']);
  });
});

test('an instance in capitals is found where a job, a deregistration or the dashboard names it, and no worker id is', async () => {
  await register(host);
  await addWorker(database.pool, { workerId: 'another' });
  expect((await findWorkersById(database.pool, 'I-0ABC7')).map(({ workerId }) => workerId)).toEqual(['worker']);
  expect(await findWorkersById(database.pool, 'WORKER')).toEqual([]);
  expect((await countWorkers(database.pool, { wantedId: 'I-0ABC7', limits })).wanted).toBe('idle');
  expect((await countWorkers(database.pool, { wantedId: 'WORKER', limits })).wanted).toBeNull();
  await addWaitingJob(database.pool, { affinity: 'strict', wantedWorker: 'I-0ABC7' });
  expect(await assignAll(database.pool)).toMatchObject([{ workerId: 'worker' }]);
  await addWaitingJob(database.pool, { affinity: 'strict', wantedWorker: 'ANOTHER' });
  expect(await assignAll(database.pool)).toEqual([]);
  for (const id of ['I-0ABC7', ...spellings])
    expect(await get(`/fleet/${id}/workers`)).toMatchObject({ status: 200, body: { 0: { workerId: 'worker' } } });
});

test('a machine that the configuration spells in another way is not shown twice', async () => {
  await register(host);
  config = parseFleetConfig(JSON.stringify([{ id: 'gh-1', ip: '::FFFF:10.0.0.7', ec2InstanceId: 'I-0ABC7' }]), 'FLEET_CONFIG');
  const { servers } = fleetListSchema.parse((await get('/fleet')).body);
  expect(servers.filter(({ role }) => role !== 'atm')).toMatchObject([{ id: 'gh-1', ip: host, ec2InstanceId: instanceId }]);
  config = parseFleetConfig(JSON.stringify([{ id: 'gh-1', ip: '::FFFF:10.0.0.7' }]), 'FLEET_CONFIG');
  expect(fleetReportSchema.parse((await get('/v1/fleet')).body).hosts.map((each) => each.host)).toEqual([host]);
});
