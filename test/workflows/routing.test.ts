import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool } from 'pg';
import { createCancelActivities } from '../../activities/commands/cancel';
import type { CommandView } from '../../src/contracts/command';
import { makeCancelJobId } from '../../src/contracts/ids';
import { limits } from '../../src/contracts/limits';
import { createPool } from '../../src/db/pool';
import { createLog } from '../../src/log';
import { runAsAdmin } from '../support/database';
import { collectLines, type LogLines } from '../support/log-lines';
import { makeGate } from '../support/gate';
import { until } from '../support/until';
import { withFleetFixture, type FleetFixture } from '../support/fleet-fixture';

const startCancel = async (fixture: FleetFixture, jobId: string): Promise<{ result(): Promise<CommandView> }> =>
  await fixture.client.workflow.start('cancelJob', {
    workflowId: makeCancelJobId({ jobId }),
    taskQueue: fixture.taskQueue,
    args: [{ jobId, actor: 'zoe' }],
    workflowIdConflictPolicy: 'USE_EXISTING',
  });
const cancel = async (fixture: FleetFixture, jobId: string): Promise<CommandView> => await (await startCancel(fixture, jobId)).result();

const submitRunning = async (fixture: FleetFixture, path: string): Promise<{ jobId: string; workerId: string; host: string }> => {
  const jobId = randomUUID();
  await fixture.submit(`https://sim.test${path}`, { jobId });
  const { attempt } = await fixture.until(jobId, 'running');
  return { jobId, workerId: attempt?.workerId ?? '', host: attempt?.host ?? '' };
};

const of = (log: LogLines, jobId: string): Record<string, unknown>[] => log.entries().filter((entry) => entry.jobId === jobId);

const areIdle = async (fixture: FleetFixture, count: number): Promise<void> => {
  await until(
    async () => {
      await fixture.sweep();
      const { rowCount } = await fixture.pool.query(`select from yardmaster.host_probe where is_worker_up and active_jobs = 0`);
      return rowCount === count;
    },
    { what: 'the workers are back and idle' },
  );
};

describe('the route of a cancel', () => {
  const log = collectLines();
  const fixture = withFleetFixture({
    hosts: 2,
    times: { exitDelayMs: 1_000 },
    limits: { doubtRecheckMs: 500 },
    logDestination: log.destination,
    async recycle(simulator, host) {
      await simulator.restart(host);
      return true;
    },
  });
  afterEach(async () => await areIdle(fixture, 2));

  test('to the owner is one INFO line, and no warning', async () => {
    const { jobId, workerId, host } = await submitRunning(fixture, '/slow-start?startMs=600000');
    expect(await cancel(fixture, jobId)).toMatchObject({ outcome: 'cancelled', route: { route: 'owner', workerId, host } });
    expect(of(log, jobId)).toContainEqual(
      expect.objectContaining({ level: 'info', message: 'A cancel is routed', route: 'owner', workerId, host }),
    );
    expect(of(log, jobId).filter(({ level, route }) => level !== 'info' && route !== undefined)).toEqual([]);
  });

  test('is its owner also where its row spells its address in another way and names no instance, and the machine is asked once', async () => {
    const { jobId, workerId, host } = await submitRunning(fixture, '/slow-start?startMs=600000');
    const { rows: registered } = await fixture.pool.query<{ worker_id: string }>('select * from gh_worker_registry');
    await fixture.pool.query(`update gh_worker_registry set ec2_ip = '::FFFF:' || ec2_ip, ec2_instance_id = 'unknown'`);
    await fixture.sweep();
    const { rows } = await fixture.pool.query<{ host: string }>('select host from yardmaster.host_probe order by host');
    expect(rows.map((row) => row.host)).toEqual(['127.0.1.1', '127.0.1.2']);
    expect(await cancel(fixture, jobId)).toMatchObject({ outcome: 'cancelled', route: { route: 'owner', workerId, host } });
    expect(of(log, jobId).filter(({ level, route }) => level !== 'info' && route !== undefined)).toEqual([]);
    await fixture.pool.query(
      `update gh_worker_registry r set ec2_ip = was.ec2_ip, ec2_instance_id = was.ec2_instance_id
       from jsonb_populate_recordset(null::gh_worker_registry, $1) was where was.worker_id = r.worker_id`,
      [JSON.stringify(registered)],
    );
  });

  test('P4: of a worker that the registry does not know is an ERROR, then the fallback in the words of the incumbent', async () => {
    const { jobId, workerId } = await submitRunning(fixture, '/slow-start?startMs=600000');
    await fixture.pool.query(`delete from gh_worker_registry where worker_id = $1`, [workerId]);
    const command = await cancel(fixture, jobId);

    const routed = of(log, jobId).filter(({ level, route }) => level !== 'info' && route !== undefined);
    expect(routed.slice(0, 2)).toEqual([
      expect.objectContaining({ level: 'error', jobId, workerId, reason: 'workerId not found in gh_worker_registry' }),
      expect.objectContaining({
        level: 'warn',
        message: 'Fleet routing fallback — cancel/resume may reach wrong EC2',
        jobId,
        workerId,
        route: 'database',
        reason: expect.stringContaining('cancel listener'),
      }),
    ]);
    // Its restart registers it again: what was done before that stays in the reply.
    expect(command.route?.steps).toContainEqual({
      lookedUp: 'registry',
      found: null,
      level: 'error',
      reason: 'workerId not found in gh_worker_registry',
    });
    expect(command.route?.steps).toContainEqual(expect.objectContaining({ lookedUp: 'database', level: 'warn' }));
    expect(command).toMatchObject({ outcome: 'cancelled', jobState: 'cancelled', means: [{ means: 'listener', result: 'ended' }] });
  });

  test('of a draining worker is its owner', async () => {
    const { jobId, workerId } = await submitRunning(fixture, '/slow-start?startMs=600000');
    await fixture.pool.query(`update gh_worker_registry set status = 'draining' where worker_id = $1`, [workerId]);
    expect(await cancel(fixture, jobId)).toMatchObject({ outcome: 'cancelled', route: { route: 'owner', workerId } });
  });

  test('P4: that was looked up before the job ended never hits the next job of that worker', async () => {
    await fixture.pool.query(`insert into yardmaster.host_hold (host, reason, actor) values ('127.0.1.2', 'a test', 'test')`);
    const [firstGate, nextGate] = [makeGate(), makeGate()];
    const first = await submitRunning(fixture, firstGate.form);
    const { command } = await fixture.activities.openCancel({ jobId: first.jobId, actor: 'late' });
    const route = await fixture.activities.routeCancel({ commandId: command.commandId });
    firstGate.open();
    await fixture.until(first.jobId, 'succeeded');
    await fixture.activities.lookAtCancel({ commandId: command.commandId });

    const next = await submitRunning(fixture, nextGate.form);
    expect(next.workerId).toBe(first.workerId);
    expect(await fixture.activities.stopAttempt({ commandId: command.commandId, route, means: 'listener' })).toMatchObject({
      detail: 'none_found',
      proof: null,
    });
    nextGate.open();
    await fixture.until(next.jobId, 'succeeded');
    await fixture.pool.query(`delete from yardmaster.host_hold`);
  });

  test('P4: keeps the next job away from its worker while the cancel may still recycle it', async () => {
    await fixture.pool.query(`insert into yardmaster.host_hold (host, reason, actor) values ('127.0.1.2', 'a test', 'test')`);
    const gate = makeGate();
    const first = await submitRunning(fixture, gate.form);
    const { command } = await fixture.activities.openCancel({ jobId: first.jobId, actor: 'slow' });
    await fixture.activities.routeCancel({ commandId: command.commandId });
    gate.open();
    await fixture.until(first.jobId, 'succeeded');

    const jobId = randomUUID();
    await fixture.submit('https://sim.test/quick?ms=50', { jobId });
    await fixture.until(jobId, 'waiting');
    await fixture.sweep();
    expect(await fixture.job(jobId)).toMatchObject({ state: 'waiting' });
    await fixture.activities.lookAtCancel({ commandId: command.commandId });
    await until(
      async () => {
        await fixture.sweep();
        return (await fixture.job(jobId)).state === 'succeeded';
      },
      { what: 'the ended cancel lets go of the worker' },
    );
    await fixture.pool.query(`delete from yardmaster.host_hold`);
  });

  test('P3: takes no slow answer of the same process for another process', async () => {
    const { jobId, workerId, host } = await submitRunning(fixture, '/slow-start?startMs=600000');
    const { command } = await fixture.activities.openCancel({ jobId, actor: 'zoe' });
    const route = await fixture.activities.routeCancel({ commandId: command.commandId });
    const startedAtMs = Date.now() - 60_000;
    let probes = 0;
    const { stopAttempt } = createCancelActivities({
      pool: fixture.pool,
      log: createLog({ level: 'error', process: 'test' }),
      limits,
      observe: () => {},
      showsWorkerId: false,
      workflows: {
        wake: nothing,
        ensureApplyJob: nothing,
        ensureCommand: nothing,
        repeatMessage: nothing,
        ensureRecycleWorker: nothing,
        ensureDeliverCallbacks: nothing,
        ensureKamalDeploy: nothing,
        listAbortedApplyJobs: async () => [],
        listStuckWorkflows: async () => [],
        listRunningApplyJobs: async () => [],
        isKamalDeployRunning: async () => false,
      },
      callbacks: { send: async () => ({ kind: 'accepted' }) },
      // Its listener is gone, and so the second has begun in which it still goes on.
      cancelMeans: ['listener'],
      secrets: null,
      hosts: {
        readApi: async () => ({ isUp: true, imageTag: null }),
        askToCancel: async () => ({ isTaken: false, detail: 'not asked' }),
        async readWorkerPort() {
          const status = {
            worker_id: workerId,
            ec2_ip: host,
            active_jobs: 1,
            is_running: true,
            is_draining: false,
            dispatch_mode: 'legacy',
            uptime_ms: Date.now() - startedAtMs,
          };
          // The answer is on its way for longer than the start times of two processes may differ by chance.
          if (probes++ > 0) await sleep(1_500);
          return { kind: 'answers', status };
        },
      },
    });
    expect(await stopAttempt({ commandId: command.commandId, route, means: 'listener' })).toMatchObject({ detail: 'ended', proof: null });
    expect(await cancel(fixture, jobId)).toMatchObject({ outcome: 'cancelled' });
  });
});

describe('without the right to see the queries of others', () => {
  const role = `blind_${randomBytes(4).toString('hex')}`;
  const log = collectLines();
  const fixture = withFleetFixture({
    hosts: 1,
    logDestination: log.destination,
    connectAs: async (databaseUrl) => await connectAsBlind(databaseUrl, role),
  });
  afterAll(async () => {
    await runAsAdmin(process.env.TEST_DATABASE_URL ?? '', async (admin) => await admin.query(`drop role ${role}`)).catch(() => undefined);
  });

  test('P4: a cancel says that it could not read them, and does not say cancelled', async () => {
    const { jobId, host } = await submitRunning(fixture, '/slow-start?startMs=600000');
    const handle = await startCancel(fixture, jobId);
    const means = await until(
      async () => {
        const { rows } = await fixture.pool.query<{ means: { means: string; result: string }[] }>(
          `select means from yardmaster.command where job_id = $1`,
          [jobId],
        );
        return rows[0]?.means.length ? rows[0].means : null;
      },
      { what: 'the listener was looked for' },
    );
    expect(means[0]).toEqual({ means: 'listener', result: 'unreadable' });
    expect(await fixture.job(jobId)).toMatchObject({ state: 'running', isCancelRequested: true });
    // What the machine's own restart does for it.
    await fixture.simulator.restart(host);
    expect(await handle.result()).toMatchObject({ outcome: expect.stringMatching(/^cancelled/), endedAt: expect.any(String) });
  });
});

const nothing = async (): Promise<void> => {};

/** All rights on the tables, none on the activity of other roles. */
const connectAsBlind = async (databaseUrl: string, role: string): Promise<Pool> => {
  const password = randomBytes(8).toString('hex');
  await runAsAdmin(databaseUrl, async (admin) => {
    await admin.query(`create role ${role} login bypassrls password '${password}'`);
    for (const schema of ['public', 'yardmaster']) {
      await admin.query(`grant usage on schema ${schema} to ${role}`);
      await admin.query(`grant all on all tables in schema ${schema} to ${role}`);
      await admin.query(`grant all on all sequences in schema ${schema} to ${role}`);
    }
  });
  const url = new URL(databaseUrl);
  url.username = role;
  url.password = password;
  return createPool(url.href, { max: 10, applicationName: 'yardmaster-test' });
};
