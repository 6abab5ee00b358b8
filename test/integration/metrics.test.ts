import { createLog } from '../../src/log';
import { fleetGauges } from '../../src/db/fleet-gauges';
import { createMetrics, startMetricsServer, type Metrics, type MetricsServer } from '../../src/metrics';
import { withDatabase } from '../support/database';

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

it('tells the figures of the process and of the fleet as they are at the scrape', async () => {
  const metrics = createMetrics({ process: 'gateway' });
  fleetGauges(database.pool).forEach(metrics.addGauge);
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
  await database.pool.query(`insert into yardmaster.host_hold (host, reason, actor) values ('*', 'test', 'ada')`);
  const { status, text } = await scrape(server);
  expect(status).toBe(200);
  expect(text).toContain('yardmaster_jobs{state="waiting",process="gateway"} 2');
  expect(text).toContain('yardmaster_jobs{state="uncertain",process="gateway"} 1');
  expect(text).toContain('yardmaster_holds{host="*",process="gateway"} 1');
  expect(text).toMatch(/yardmaster_oldest_waiting_job_seconds\{process="gateway"\} 60\.\d/);
  expect(text).toContain('nodejs_eventloop_lag_seconds');
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
