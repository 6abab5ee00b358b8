import { holdHost, makeDeployHolder, makeWorkerHolder } from '../../src/db/fleet/holds';
import { createWorkflowsClient } from '../../src/gateway/workflows-client';
import { fleetReportSchema, hostAnswerSchema, oneWorkerSchema, sweepReportSchema, workerListSchema } from '../../src/gateway/schemas/fleet';
import { releasedWorkerSchema } from '../../src/gateway/schemas/worker-acts';
import { ensureWorkerCleanupSchedule } from '../../src/temporal/namespace';
import { withDatabase } from '../support/database';
import { addAttempt, addWaitingJob, addWorker, assignAll, emptyTables } from '../support/fleet-rows';
import { call, startTestGateway, testKeys, type TestGateway } from '../support/gateway';
import { startOrchestrator } from '../support/orchestrator';
import { withTemporal } from '../support/temporal';
import { until } from '../support/until';

const database = withDatabase();
const temporal = withTemporal();
let gateway: TestGateway;

beforeAll(async () => {
  gateway = await startTestGateway({ pool: database.pool, workflows: createWorkflowsClient(temporal.client, { deadlineMs: 30_000 }) });
});
afterAll(async () => await gateway.stop());
beforeEach(async () => await emptyTables(database.pool));

const get = async (path: string) => await call(`${gateway.url}${path}`, { key: testKeys.readOnly });
const post = async (path: string, json: unknown = { reason: 'a test' }) =>
  await call(`${gateway.url}${path}`, { key: testKeys.operator, json });

describe('the hold of a host', () => {
  it('keeps new jobs away until it is released, and names the workers that it is about', async () => {
    const { workerId, host } = await addWorker(database.pool);
    await addWaitingJob(database.pool);
    const held = await post(`/v1/fleet/hosts/${host}/hold`, { reason: 'its disk is full' });
    expect(hostAnswerSchema.parse(held.body)).toMatchObject({
      host,
      hold: { reason: 'its disk is full', actor: 'ops', expiresAt: null },
      workers: [workerId],
    });
    expect(await assignAll(database.pool)).toEqual([]);

    expect(await post(`/v1/fleet/hosts/${host}/release`)).toMatchObject({
      status: 200,
      body: { hold: null, holds: [], workers: [workerId] },
    });
    expect(await assignAll(database.pool)).toMatchObject([{ workerId }]);
  });

  it('may name the instance, and end by itself', async () => {
    const { workerId, instanceId } = await addWorker(database.pool);
    const held = await post(`/v1/fleet/hosts/${instanceId}/hold`, { reason: 'a look', expiresInSeconds: 60 });
    expect(held).toMatchObject({ status: 200, body: { workers: [workerId] } });
    const { hold } = hostAnswerSchema.parse(held.body);
    expect(Date.parse(String(hold?.expiresAt)) - Date.parse(String(hold?.heldAt))).toBeCloseTo(60_000, -3);
    await database.pool.query(`update yardmaster.host_hold set expires_at = now() - interval '1 s'`);
    await addWaitingJob(database.pool);
    expect(await assignAll(database.pool)).toMatchObject([{ workerId }]);
  });

  it.each([
    ['a drained worker', makeWorkerHolder({ workerId: 'another' }), null],
    ['a deploy', makeDeployHolder({ deployId: 'd-1' }), 60_000],
  ])('that a person ends leaves the one of %s, which is named', async (_whose, holder, expiresInMs) => {
    const { workerId, host, instanceId } = await addWorker(database.pool);
    await post(`/v1/fleet/hosts/${host}/hold`);
    await holdHost(database.pool, { host: instanceId ?? '', holder, reason: 'a new kernel', actor: 'zoe', expiresInMs });

    const left = { host: instanceId, holder, reason: 'a new kernel', actor: 'zoe' };
    const released = await post(`/v1/fleet/hosts/${host}/release`);
    expect(released).toMatchObject({ status: 200, body: { hold: null, holds: [left], workers: [workerId] } });
    const { holds } = hostAnswerSchema.parse(released.body);
    expect(holds.map(({ expiresAt }) => expiresAt !== null)).toEqual([expiresInMs !== null]);
    const worker = await get(`/v1/workers/${workerId}`);
    expect(oneWorkerSchema.parse(worker.body)).toMatchObject({ condition: 'held', holds: [left] });
    const ofTheWorker = await post(`/v1/workers/${workerId}/release`);
    expect(releasedWorkerSchema.parse(ofTheWorker.body)).toMatchObject({ wasHeld: false, holds: [left] });
  });

  it('says that it is about no worker when the host is unknown', async () => {
    expect(await post('/v1/fleet/hosts/10.9.9.9/hold')).toMatchObject({ status: 200, body: { workers: [] } });
  });

  it('is audited, like its end', async () => {
    await post('/v1/fleet/hosts/10.0.0.77/hold');
    await post('/v1/fleet/hosts/10.0.0.77/release');
    const { rows } = await database.pool.query(
      `select act, actor, detail from yardmaster.audit where subject = '10.0.0.77' order by audit_id`,
    );
    expect(rows).toEqual([
      { act: 'hold', actor: 'ops', detail: { reason: 'a test' } },
      { act: 'release', actor: 'ops', detail: { reason: 'a test' } },
    ]);
  });

  it.each([
    ['the whole fleet, which is a pause', '/v1/fleet/hosts/*/hold', { reason: 'x' }, 400],
    ['without a reason', '/v1/fleet/hosts/10.0.0.1/hold', {}, 422],
    ['for no time', '/v1/fleet/hosts/10.0.0.1/hold', { reason: 'x', expiresInSeconds: 0 }, 422],
    ['with a field that nobody knows', '/v1/fleet/hosts/10.0.0.1/release', { reason: 'x', force: true }, 422],
  ])('is refused %s', async (_what, path, body, status) => {
    expect((await post(path, body)).status).toBe(status);
    expect((await database.pool.query('select from yardmaster.host_hold')).rowCount).toBe(0);
  });
});

describe('the hold of a drained worker', () => {
  it('is released by its id also when the machine is back under another one and its own row is gone', async () => {
    const { workerId, host } = await addWorker(database.pool);
    const holder = makeWorkerHolder({ workerId });
    await holdHost(database.pool, { host, holder, reason: 'a new kernel', actor: 'ops', expiresInMs: null });
    await database.pool.query('delete from gh_worker_registry; delete from yardmaster.host_probe');
    const next = await addWorker(database.pool, { host });
    await addWaitingJob(database.pool);
    expect(await assignAll(database.pool)).toEqual([]);

    expect(await post(`/v1/workers/${workerId}/release`)).toMatchObject({ status: 200, body: { workerId, wasHeld: true, holds: [] } });
    expect(await assignAll(database.pool)).toMatchObject([{ workerId: next.workerId }]);
    const released = `select act, actor, detail from yardmaster.audit where subject_kind = 'worker' and subject = $1`;
    expect((await database.pool.query(released, [workerId])).rows).toEqual([
      { act: 'release', actor: 'ops', detail: { reason: 'a test' } },
    ]);
    expect(await post(`/v1/workers/${workerId}/release`)).toMatchObject({ status: 404, body: { code: 'worker_not_found' } });
    expect((await database.pool.query(released, [workerId])).rowCount).toBe(1);
  });
});

describe('the report on the fleet', () => {
  it('shows hosts with health, holds and workers, and the public id of the job that each has', async () => {
    const busy = await addWorker(database.pool);
    const idle = await addWorker(database.pool);
    const jobId = await addWaitingJob(database.pool, { affinity: 'strict', wantedWorker: busy.workerId });
    await assignAll(database.pool);
    await post(`/v1/fleet/hosts/${idle.instanceId}/hold`);

    const report = fleetReportSchema.parse((await get('/v1/fleet')).body);
    const hostOf = (host: string) => report.hosts.find((each) => each.host === host);
    expect(hostOf(busy.host)).toMatchObject({
      health: 'healthy',
      imageVersion: null,
      holds: [],
      workers: [{ workerId: busy.workerId, condition: 'busy', job: { jobId, state: 'assigned' } }],
    });
    expect(hostOf(idle.host)).toMatchObject({
      health: 'healthy',
      holds: [{ host: idle.instanceId, reason: 'a test' }],
      workers: [{ workerId: idle.workerId, condition: 'held', job: null }],
    });
    expect(report.fleet).toEqual({ isPaused: false, pause: null });
  });

  it.each<[string, Parameters<typeof addWorker>[1], string, RegExp]>([
    ['a worker port that does not answer', { isWorkerUp: false }, 'degraded', /worker port/],
    ['a silent registry', { heartbeatAgeMs: 200_000 }, 'degraded', /beaten/],
    ['a worker that went offline', { status: 'offline' }, 'offline', /registry/],
    ['a probe of long ago', { probeAgeMs: 600_000 }, 'degraded', /asked/],
    ['no probe at all', { probeAgeMs: null }, 'degraded', /asked/],
  ])('tells the health of %s', async (_what, worker, health, reason) => {
    const { host } = await addWorker(database.pool, worker);
    const report = fleetReportSchema.parse((await get('/v1/fleet')).body);
    expect(report.hosts).toEqual([expect.objectContaining({ host, health, reason: expect.stringMatching(reason) })]);
  });

  it('leaves out a machine whose row is gone and that nobody configured, unless a job of ours is still there', async () => {
    const { workerId, host } = await addWorker(database.pool, { probeAgeMs: 600_000 });
    const hosts = async () => fleetReportSchema.parse((await get('/v1/fleet')).body).hosts.map((each) => each.host);
    const attemptId = await addAttempt(database.pool, { jobId: await addWaitingJob(database.pool), workerId, state: 'running' });
    await database.pool.query('update yardmaster.attempt set host = $2 where attempt_id = $1', [attemptId, host]);
    await database.pool.query('delete from gh_worker_registry');
    expect(await hosts()).toEqual([host]);
    await database.pool.query(`update yardmaster.attempt set state = 'ended', ended_at = now()`);
    expect(await hosts()).toEqual([]);
  });

  it('names the machines whose commands go around us: their sandbox has no id of the fleet', async () => {
    await addWorker(database.pool, { host: '10.77.0.1' });
    await addWorker(database.pool, { host: '10.77.0.2' });
    await database.pool.query(
      `insert into sandboxes (name, environment, instance_id, instance_type, public_ip, status, machine_type, tags)
       values ('past us', 'dev', 'i-771', 't3', '::ffff:10.77.0.1', 'active', 'ec2', '{}'),
              ('to us', 'dev', 'i-772', 't3', '10.77.0.2', 'active', 'ec2', '{"atm_fleet_id": "gh-772"}')`,
    );
    const { hosts } = fleetReportSchema.parse((await get('/v1/fleet')).body);
    const wayOf = (address: string) => hosts.find(({ host }) => host === address)?.goesAround;
    expect([wayOf('10.77.0.1'), wayOf('10.77.0.2')]).toEqual([expect.stringContaining('tags.atm_fleet_id'), null]);
    await database.pool.query(`delete from sandboxes where instance_id in ('i-771', 'i-772')`);
  });

  it('sets workers apart that registered without a usable address', async () => {
    await addWorker(database.pool, { host: 'unknown', probeAgeMs: null });
    await addWorker(database.pool, { host: "<html>'; --", probeAgeMs: null });
    const report = fleetReportSchema.parse((await get('/v1/fleet')).body);
    expect(report.hosts).toEqual([]);
    expect(report.withoutAddress.map(({ host }) => host)).toEqual(["<html>'; --", 'unknown']);
  });

  it('shows what the last sweep found', async () => {
    await database.pool.query(
      `insert into yardmaster.sweep_report (started_at, counts, items) values (now(), '{"worker_port_down": 2}', '[]')`,
    );
    expect(fleetReportSchema.parse((await get('/v1/fleet')).body)).toMatchObject({
      lastSweep: { kind: 'full', counts: { worker_port_down: 2 } },
      lastFullSweep: { counts: { worker_port_down: 2 } },
    });
  });
});

describe('a worker', () => {
  it('is listed and found by its id, whatever is in it', async () => {
    const { workerId } = await addWorker(database.pool, { workerId: "o'worker 1" });
    expect(workerListSchema.parse((await get('/v1/workers')).body).workers).toMatchObject([{ workerId, condition: 'idle' }]);
    expect(oneWorkerSchema.parse((await get(`/v1/workers/${encodeURIComponent(workerId)}`)).body)).toMatchObject({
      workerId,
      isBeating: true,
    });
  });

  it.each(['infinity', 'tomorrow'])('whose heartbeat is %s does not beat, as the sweep says too', async (moment) => {
    const { workerId } = await addWorker(database.pool);
    await database.pool.query('update gh_worker_registry set last_heartbeat = $1', [moment]);
    expect(oneWorkerSchema.parse((await get(`/v1/workers/${workerId}`)).body).isBeating).toBe(false);
  });

  it('that nobody registered is a 404', async () => {
    expect(await get('/v1/workers/nobody')).toMatchObject({ status: 404, body: { code: 'worker_not_found' } });
  });

  it('that has been offline for a day is history, and found by its id alone', async () => {
    const { workerId } = await addWorker(database.pool, { status: 'offline', heartbeatAgeMs: 90_000_000 });
    expect((await get('/v1/workers')).body.workers).toEqual([]);
    expect(await get(`/v1/workers/${workerId}`)).toMatchObject({ status: 200, body: { status: 'offline', condition: 'offline' } });
  });
});

describe('a sweep that somebody asks for', () => {
  const taskQueue = 'yardmaster';
  const withOrchestrator = async (work: () => Promise<void>): Promise<void> => {
    const orchestrator = await startOrchestrator({
      pool: database.pool,
      address: temporal.address,
      namespace: temporal.namespace,
      client: temporal.client,
      taskQueue,
      callbackBaseUrl: 'http://yard.test',
    });
    try {
      await work();
    } finally {
      await orchestrator.stop();
    }
  };

  it('changes nothing with dryRun, and answers what a pass would do', async () => {
    const { workerId } = await addWorker(database.pool, { host: 'unknown', probeAgeMs: null, heartbeatAgeMs: 600_000 });
    await withOrchestrator(async () => {
      const dryPass = await post('/v1/fleet/sweep', { dryRun: true });
      expect(dryPass.status).toBe(200);
      expect(sweepReportSchema.parse(dryPass.body)).toMatchObject({
        kind: 'full',
        isDryRun: true,
        items: expect.arrayContaining([expect.objectContaining({ finding: 'worker_marked_offline', subject: workerId, after: 'offline' })]),
      });
      expect((await get(`/v1/workers/${workerId}`)).body).toMatchObject({ status: 'active' });
      expect((await get('/v1/fleet')).body.lastSweep).toBeNull();
    });
  });

  it('says where its report will be when nobody makes the pass in time', async () => {
    const impatient = await startTestGateway({
      pool: database.pool,
      workflows: createWorkflowsClient(temporal.client, { deadlineMs: 30_000 }),
      limits: { sweepWaitMs: 300 },
    });
    try {
      const asked = await call(`${impatient.url}/v1/fleet/sweep`, { key: testKeys.operator, json: { dryRun: true } });
      expect(asked).toMatchObject({ status: 202, body: { workflowId: 'worker-cleanup-dry-run' } });
    } finally {
      await impatient.stop();
      await temporal.client.workflow.getHandle('worker-cleanup-dry-run').terminate();
    }
  });

  it('is a pass of the schedule without dryRun, also while that is paused', async () => {
    await ensureWorkerCleanupSchedule(temporal.client);
    const schedule = temporal.client.schedule.getHandle('worker-cleanup');
    await schedule.pause('a test');
    await withOrchestrator(async () => {
      const last = async () => (await get('/v1/fleet')).body.lastSweep;
      // The schedule's own first pass.
      await until(last, { what: 'the first pass' });
      await database.pool.query('delete from yardmaster.sweep_report');
      expect(await post('/v1/fleet/sweep', {})).toMatchObject({ status: 202, body: { lookAt: '/v1/fleet' } });
      await until(last, { what: 'the pass was made' });
      expect((await schedule.describe()).state).toMatchObject({ paused: true, note: 'a test' });
    });
    await schedule.delete();
  });

  it.each([
    ['without the role', testKeys.readOnly, { dryRun: true }, 403],
    ['with a field that nobody knows', testKeys.operator, { dry: true }, 422],
    ['with a word instead of yes or no', testKeys.operator, { dryRun: 'yes' }, 422],
  ])('is refused %s', async (_what, key, json, status) => {
    expect((await call(`${gateway.url}/v1/fleet/sweep`, { key, json })).status).toBe(status);
  });

  it('is a 503 where there is no schedule, or no Temporal', async () => {
    expect(await post('/v1/fleet/sweep', {})).toMatchObject({ status: 503, body: { code: 'unavailable' } });
  });
});
