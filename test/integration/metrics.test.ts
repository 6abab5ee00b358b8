import { machineSchema } from '../../src/gateway/compat/monitoring-schemas';
import { createLog } from '../../src/log';
import { limits } from '../../src/contracts/limits';
import { fleetGauges } from '../../src/db/fleet/fleet-gauges';
import { createPool } from '../../src/db/pool';
import { createReadiness } from '../../src/db/readiness';
import { createMetrics, type Metrics } from '../../src/metrics';
import { addSdkMetrics, type SdkUpdate } from '../../src/metrics/sdk';
import { startMetricsServer, type MetricsServer } from '../../src/metrics/server';
import { createWorkMetrics } from '../../src/metrics/work';
import { withDatabase } from '../support/database';
import { addWorker } from '../support/fleet-rows';
import { withFleetFixture } from '../support/fleet-fixture';

const database = withDatabase();

const serve = async (metrics: Metrics): Promise<MetricsServer> =>
  await startMetricsServer(metrics, { host: '127.0.0.1', port: 0, log: createLog({ level: 'error', process: 'test' }) });

const scrape = async ({ port }: MetricsServer, path = '/metrics', method = 'GET'): Promise<{ status: number; text: string }> => {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { method });
  return { status: response.status, text: await response.text() };
};

let server: MetricsServer | undefined;

afterEach(async () => {
  await server?.stop();
  server = undefined;
});

it('tells beside them how busy the machine is', async () => {
  server = await serve(createMetrics({ process: 'deployer' }));
  const { status, text } = await scrape(server, '/monitoring/system');
  expect(status).toBe(200);
  const figures = machineSchema.parse(JSON.parse(text));
  expect(figures.cpu.cores).toBeGreaterThan(0);
  expect(figures.memory.usedMb).toBeLessThanOrEqual(figures.memory.totalMb);
  expect(figures.disk.totalGb).toBeGreaterThan(0);
});

it.each([
  [200, true, { postgres: 'ok', temporal: 'ok' }, {}],
  [200, true, { postgres: 'unused', temporal: 'ok' }, {}],
  [503, true, { postgres: 'ok', temporal: 'away' }, {}],
  [200, false, { postgres: 'ok', temporal: 'away' }, {}],
  [503, false, { postgres: 'read_only', temporal: 'ok' }, { detail: expect.stringMatching(/no writes/) as string }],
])(
  'tells beside them whether the process lives, and is ready: %d, Temporal needed: %j, of %j',
  async (status, needsTemporal, checks, more) => {
    const log = createLog({ level: 'error', process: 'test' });
    const options = checks.postgres === 'read_only' ? '?options=-c%20default_transaction_read_only%3Don' : '';
    const pool = checks.postgres === 'unused' ? null : createPool(`${database.databaseUrl}${options}`, { max: 2, applicationName: 'test' });
    const checkTemporal = async (): Promise<void> =>
      await (checks.temporal === 'ok' ? Promise.resolve() : Promise.reject(new Error('away')));
    const readReadiness = createReadiness({ pool, checkTemporal, limits, needsTemporal, log });
    server = await startMetricsServer(createMetrics({ process: 'deployer' }), { host: '127.0.0.1', port: 0, log, readReadiness });
    expect(await scrape(server, '/livez')).toMatchObject({ status: 200 });
    const ready = await scrape(server, '/readyz');
    await pool?.end();
    expect({ status: ready.status, body: JSON.parse(ready.text) as unknown }).toEqual({
      status,
      body: {
        status: status === 200 ? 'ready' : 'not_ready',
        checks,
        ...more,
        lastSweepAgeSeconds: null,
      },
    });
  },
);

it('tells the figures of the process and of the fleet as they are at the scrape', async () => {
  const metrics = createMetrics({ process: 'gateway' });
  fleetGauges(database.pool, limits).forEach(metrics.addGauge);
  server = await serve(metrics);
  const insert = (state: string) =>
    database.pool.query(
      `insert into yardmaster.job (job_id, state, user_id, request_hash, accepted_by, request_id, timeout_seconds, job_deadline_at, state_at)
       values (gen_random_uuid(), $1, gen_random_uuid(), 'h', 'test', 'r', 60, now() + interval '1 h', now() - interval '1 min')`,
      [state],
    );
  await insert('waiting');
  expect((await scrape(server)).text).toContain('yardmaster_jobs{state="waiting",process="gateway"} 1');
  await insert('waiting');
  await insert('uncertain');
  await database.pool.query(
    `insert into yardmaster.host_hold (host, reason, actor) values ('*', 'test', 'ada'), ('10.0.0.1', 'test', 'ada')`,
  );
  await addWorker(database.pool);
  await addWorker(database.pool, { status: 'offline' });
  const { status, text } = await scrape(server);
  expect(status).toBe(200);
  expect(text).toContain('yardmaster_jobs{state="waiting",process="gateway"} 2');
  expect(text).toContain('yardmaster_jobs{state="uncertain",process="gateway"} 1');
  expect(text).toContain('yardmaster_fleet_paused{process="gateway"} 1');
  expect(text).toContain('yardmaster_held_hosts{process="gateway"} 1');
  expect(text).toContain('yardmaster_workers{condition="held",process="gateway"} 1');
  expect(text).toContain('yardmaster_workers{condition="offline",process="gateway"} 1');
  expect(text).toContain('yardmaster_workers_by_health{health="healthy",process="gateway"} 1');
  expect(text).toContain('yardmaster_workers_by_health{health="degraded",process="gateway"} 0');
  expect(text).toContain('yardmaster_workers_by_health{health="offline",process="gateway"} 1');
  expect(text).toContain('yardmaster_hosts{health="healthy",process="gateway"} 1');
  expect(text).not.toMatch(/yardmaster_last_sweep_age_seconds\{/);
  const [, waited] = /yardmaster_oldest_waiting_job_seconds\{process="gateway"\} (\S+)/.exec(text) ?? [];
  expect(Number(waited)).toBeGreaterThanOrEqual(60);
  expect(text).toContain('nodejs_eventloop_lag_seconds');
});

it('shows what the SDK counted behind the same address, each metric with the labels of each case', async () => {
  const metrics = createMetrics({ process: 'orchestrator' });
  const polls = { name: 'temporal_request', kind: 'counter', description: 'Requests' };
  const slow = { name: 'temporal_request_latency', kind: 'histogram', description: 'How "long"' };
  const updates: SdkUpdate[] = [
    { metric: polls, value: 2, attributes: { operation: 'Poll' } },
    { metric: polls, value: 1, attributes: { operation: 'Poll' } },
    { metric: polls, value: 1, attributes: { operation: 'Poll', status_code: 'a "b"' } },
    { metric: slow, value: 0.03, attributes: {} },
    { metric: slow, value: 100, attributes: {} },
    { metric: { name: 'slots', kind: 'gauge' }, value: 5, attributes: {} },
    { metric: { name: 'slots', kind: 'gauge' }, value: 4, attributes: {} },
  ];
  const sdk = addSdkMetrics(metrics, { retrieve: () => updates.splice(0) });
  server = await serve(metrics);
  const { text } = await scrape(server);
  sdk.stop();
  expect(text).toContain('# TYPE temporal_request_total counter\ntemporal_request_total{operation="Poll",process="orchestrator"} 3\n');
  expect(text).toContain('temporal_request_total{operation="Poll",status_code="a \\"b\\"",process="orchestrator"} 1\n');
  expect(text).toContain('temporal_request_latency_seconds_bucket{process="orchestrator",le="0.025"} 0\n');
  expect(text).toContain('temporal_request_latency_seconds_bucket{process="orchestrator",le="60"} 1\n');
  expect(text).toContain('temporal_request_latency_seconds_count{process="orchestrator"} 2\n');
  expect(text).toContain('temporal_slots{process="orchestrator"} 4\n');
});

it('answers without a figure that cannot be read, and counts that', async () => {
  const metrics = createMetrics({ process: 'gateway' });
  let isBroken = false;
  metrics.addGauge({
    name: 'fleet_size',
    help: 'test',
    read: () => (isBroken ? Promise.reject(new Error('no database')) : Promise.resolve([{ value: 3 }])),
  });
  server = await serve(metrics);
  expect((await scrape(server)).text).toContain('fleet_size{process="gateway"} 3');
  isBroken = true;
  const { status, text } = await scrape(server);
  expect(status).toBe(200);
  expect(text).not.toMatch(/^fleet_size\{/m);
  expect((await scrape(server)).text).toMatch(/yardmaster_gauge_read_failures_total\{gauge="fleet_size",process="gateway"\} [12]/);
});

it('waits only so long for a figure', async () => {
  const metrics = createMetrics({ process: 'gateway' });
  metrics.addGauge({ name: 'fleet_size', help: 'test', read: () => new Promise(() => undefined) });
  server = await serve(metrics);
  expect((await scrape(server)).status).toBe(200);
});

it('has nothing else on its port', async () => {
  server = await serve(createMetrics({ process: 'gateway' }));
  expect((await scrape(server, '/')).status).toBe(404);
  expect((await scrape(server, '/metrics', 'POST')).status).toBe(404);
});

describe('the work of an orchestrator', () => {
  const metrics = createMetrics({ process: 'orchestrator' });
  const fixture = withFleetFixture({ hosts: 1, observe: createWorkMetrics(metrics), limits: { retryBackoffFirstMs: 1_000 } });

  test('is counted by its ends, its waits, its commands and its findings, under no id', async () => {
    const handle = await fixture.submit('https://sim.test/fails-before-form?times=1&ms=50&lost=running');
    await expect(handle.result()).resolves.toMatchObject({ state: 'succeeded' });
    const cancelled = await fixture.submit('https://sim.test/slow-start?startMs=60000');
    const jobId = cancelled.workflowId.replace('apply-job-', '');
    await fixture.until(jobId, 'running');
    await fixture.client.workflow.execute('cancelJob', {
      workflowId: `cancel-job-${jobId}`,
      taskQueue: fixture.taskQueue,
      args: [{ jobId, actor: 'zoe' }],
    });
    await cancelled.result();
    await fixture.sweep();

    const text = await metrics.text();
    const figure = (series: string): number =>
      Number(
        text
          .split('\n')
          .find((line) => line.startsWith(series))
          ?.split(' ')
          .at(-1) ?? Number.NaN,
      );
    expect(figure('yardmaster_job_states_total{state="succeeded"')).toBe(1);
    expect(figure('yardmaster_job_states_total{state="cancelled"')).toBe(1);
    expect(figure('yardmaster_attempts_ended_total{end="failed"')).toBe(1);
    expect(figure('yardmaster_attempts_ended_total{end="completed"')).toBe(1);
    expect(figure('yardmaster_attempts_ended_total{end="stopped"')).toBe(1);
    expect(figure('yardmaster_attempt_run_seconds_count{')).toBe(1);
    expect(figure('yardmaster_job_wait_seconds_count')).toBe(2);
    expect(figure('yardmaster_claim_wait_seconds_count')).toBeGreaterThanOrEqual(2);
    expect(figure('yardmaster_commands_ended_total{kind="cancel",route="owner",outcome="cancelled"')).toBe(1);
    expect(figure('yardmaster_callbacks_settled_total{settled_as="delivered"')).toBeGreaterThanOrEqual(2);
    expect(figure('yardmaster_sweep_pass_seconds_count')).toBeGreaterThanOrEqual(2);
    expect(text).not.toContain(jobId);
    expect(text).not.toContain('worker-1');
  });
});
