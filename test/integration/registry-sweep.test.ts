import { limits } from '../../src/contracts/limits';
import { listRegistry, markWorkersOffline } from '../../src/db/fleet/registry';
import { locateWorkers } from '../../src/domain/host-address';
import { sweepRegistry, type OfflineRepair } from '../../src/domain/registry-sweep';
import { withDatabase } from '../support/database';
import { addWorker, emptyTables } from '../support/fleet-rows';

const database = withDatabase();
beforeEach(async () => await emptyTables(database.pool));

const statusOf = async (workerId: string): Promise<string | undefined> =>
  (await database.pool.query<{ status: string }>('select status from gh_worker_registry where worker_id = $1', [workerId])).rows[0]?.status;

const decide = async (): Promise<OfflineRepair[]> => {
  const { workers } = locateWorkers(await listRegistry(database.pool, { rows: 100 }), []);
  return sweepRegistry({ workers, ports: [] }, limits).offline;
};

const silentMs = 6 * 60_000;

describe('marking a worker offline', () => {
  test('is written once, and draining rows too', async () => {
    const active = await addWorker(database.pool, { heartbeatAgeMs: silentMs });
    const draining = await addWorker(database.pool, { heartbeatAgeMs: silentMs, status: 'draining' });
    const fresh = await addWorker(database.pool);
    const marked = await markWorkersOffline(database.pool, await decide());
    expect(marked.toSorted()).toEqual([active.workerId, draining.workerId].toSorted());
    expect([await statusOf(active.workerId), await statusOf(draining.workerId), await statusOf(fresh.workerId)]).toEqual([
      'offline',
      'offline',
      'active',
    ]);
    expect(await decide()).toEqual([]);
  });

  test.each([
    ['beat', 'update gh_worker_registry set last_heartbeat = now()', 'active'],
    ['began to drain', `update gh_worker_registry set status = 'draining'`, 'draining'],
    ['was deleted', 'delete from gh_worker_registry', undefined],
  ])('does nothing to a worker that %s meanwhile', async (_what, meanwhile, status) => {
    const { workerId } = await addWorker(database.pool, { heartbeatAgeMs: silentMs });
    const decided = await decide();
    expect(decided).toHaveLength(1);
    await database.pool.query(meanwhile);
    expect(await markWorkersOffline(database.pool, decided)).toEqual([]);
    expect(await statusOf(workerId)).toBe(status);
  });

  test('takes ids as they are', async () => {
    const workerId = `o'worker "1"; drop table gh_worker_registry --`;
    await addWorker(database.pool, { workerId, heartbeatAgeMs: silentMs });
    expect(await markWorkersOffline(database.pool, await decide())).toEqual([workerId]);
    expect(await statusOf(workerId)).toBe('offline');
  });
});

test('a registry that has drifted, with rows that say nothing, is read without a crash and nothing of it is written', async () => {
  await database.pool.query(
    'alter table gh_worker_registry alter column last_heartbeat drop not null, alter column registered_at drop not null, drop constraint gh_worker_registry_status_check',
  );
  await database.pool.query(
    `insert into gh_worker_registry (worker_id, status, ec2_ip, last_heartbeat, registered_at) values
       ('no-beat', 'active', '10.0.0.1', null, now()), ('no-start', 'active', '10.0.0.2', now(), null), ('a-word', 'zombie', '10.0.0.3', now(), now()),
       ('never', 'active', '10.0.0.4', '-infinity', now()), ('for-ever', 'active', '10.0.0.5', 'infinity', now()), ('', 'active', '', now(), now())`,
  );
  const rows = await listRegistry(database.pool, { rows: 100 });
  const { workers, findings } = locateWorkers(rows, []);
  const decided = sweepRegistry({ workers, ports: [] }, limits);
  const bad = [...findings, ...decided.findings].filter(({ finding }) => finding === 'bad_registry_row');
  expect(bad.map(({ subject, detail }) => `${subject}: ${detail.split(':')[0]}`).toSorted()).toEqual([
    ': ec2_ip',
    'a-word: status',
    'for-ever: last_heartbeat',
    'never: last_heartbeat',
    'no-beat: last_heartbeat',
    'no-start: registered_at',
  ]);
  expect(decided.offline).toEqual([]);
});
