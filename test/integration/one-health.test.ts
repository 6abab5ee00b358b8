import { fleetGauges } from '../../src/db/fleet/fleet-gauges';
import { limits } from '../../src/contracts/limits';
import { createWorkflowsClient } from '../../src/gateway/workflows-client';
import { fleetReportSchema } from '../../src/gateway/schemas/fleet';
import { hostHealthSchema } from '../../src/gateway/compat/atm-schemas';
import { withDatabase } from '../support/database';
import { addWorker, emptyTables } from '../support/fleet-rows';
import { call, startTestGateway, testKeys, type TestGateway } from '../support/gateway';
import { sweepOnce } from '../support/sweep-pass';
import { withTemporal } from '../support/temporal';

/** One machine has one health, whoever shows it: VALET's monitor writes the one it reads into the sandbox, and the sweep its own. */
const database = withDatabase();
const temporal = withTemporal();
let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway({ pool: database.pool, workflows: createWorkflowsClient(temporal.client, { deadlineMs: 30_000 }) });
});
afterAll(async () => await gateway.stop());
beforeEach(async () => {
  await emptyTables(database.pool);
  await database.pool.query('delete from sandboxes');
});

const address = '10.3.0.1';
const instanceId = 'i-0123456789abcdef0';

const readGauge = async (): Promise<Record<string, number>> => {
  const read = await fleetGauges(database.pool, limits)
    .find(({ name }) => name === 'yardmaster_hosts')
    ?.read();
  return Object.fromEntries((read ?? []).map(({ labels, value }) => [labels?.['health'] ?? '', value]));
};
const shown = async (): Promise<unknown[]> => {
  const { hosts } = fleetReportSchema.parse((await call(`${gateway.url}/v1/fleet`, { key: testKeys.readOnly })).body);
  const page = await call(`${gateway.url}/fleet/${address}/health`, { key: testKeys.readOnly });
  const { rows } = await database.pool.query<{ health_status: string }>('select health_status from sandboxes');
  return [hosts.map(({ host, health }) => [host, health]), hostHealthSchema.parse(page.body).status, rows[0]?.health_status];
};

test('a worker without an address has the health of its sandbox on every page', async () => {
  await addWorker(database.pool, { workerId: 'w', host: 'unknown', instanceId, probeAgeMs: null });
  await database.pool.query(
    `insert into sandboxes (name, environment, instance_id, instance_type, public_ip, status, health_status, ec2_status)
     values ('a', 'dev', $1, 't3', $2, 'active', 'unhealthy', 'running')`,
    [instanceId, address],
  );
  await sweepOnce(database.pool, { ports: { [address]: { worker_id: 'w' } } });
  expect(await shown()).toEqual([[[address, 'healthy']], 'healthy', 'healthy']);
  expect(await readGauge()).toEqual({ healthy: 1, degraded: 0, offline: 0 });

  await sweepOnce(database.pool, { ports: { [address]: 'refused' } });
  expect(await shown()).toEqual([[[address, 'degraded']], 'degraded', 'degraded']);
  expect(await readGauge()).toEqual({ healthy: 0, degraded: 1, offline: 0 });
});

test('the pages are there where the table of sandboxes has drifted', async () => {
  await addWorker(database.pool, { host: 'unknown', instanceId, probeAgeMs: null });
  await database.pool.query('alter table sandboxes rename column ec2_status to power');
  try {
    const { hosts, withoutAddress } = fleetReportSchema.parse((await call(`${gateway.url}/v1/fleet`, { key: testKeys.readOnly })).body);
    expect([hosts, withoutAddress.map(({ host }) => host)]).toEqual([[], ['unknown']]);
    expect(await readGauge()).toEqual({ healthy: 0, degraded: 0, offline: 0 });
  } finally {
    await database.pool.query('alter table sandboxes rename column power to ec2_status');
  }
});
