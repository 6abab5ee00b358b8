import { limits } from '../../src/contracts/limits';
import { markSilentWorkersOffline } from '../../src/db/registry';
import { withDatabase } from '../support/database';
import { addWorker, emptyTables, type WorkerRows } from '../support/fleet-rows';

const database = withDatabase();
beforeEach(async () => await emptyTables(database.pool));

const statusOf = async (workerId: string): Promise<string | undefined> =>
  (await database.pool.query<{ status: string }>('select status from gh_worker_registry where worker_id = $1', [workerId])).rows[0]?.status;

const minuteMs = 60_000;
const deaf = { isWorkerUp: false } as const;

describe('a worker', () => {
  test.each<[string, Partial<WorkerRows>, 'offline' | 'active' | 'draining']>([
    ['that has been silent for more than five minutes', { ...deaf, heartbeatAgeMs: 5 * minuteMs + 1_000 }, 'offline'],
    ['that drains and has been silent for as long', { ...deaf, status: 'draining', heartbeatAgeMs: 6 * minuteMs }, 'offline'],
    ['that was never probed', { probeAgeMs: null, heartbeatAgeMs: 6 * minuteMs }, 'offline'],
    ['without a usable address', { host: 'unknown', probeAgeMs: null, heartbeatAgeMs: 6 * minuteMs }, 'offline'],
    ['that has been silent for four minutes', { ...deaf, heartbeatAgeMs: 4 * minuteMs }, 'active'],
    ['that is silent and answers: it has lost the database, or its clock is wrong', { heartbeatAgeMs: 60 * minuteMs }, 'active'],
    ['whose address answers for another worker now', { probedWorkerId: 'another', heartbeatAgeMs: 6 * minuteMs }, 'offline'],
    ['that answered long ago', { probeAgeMs: 10 * minuteMs, heartbeatAgeMs: 6 * minuteMs }, 'offline'],
    ['with a heartbeat from the future', { ...deaf, heartbeatAgeMs: -10 * minuteMs }, 'active'],
  ])('%s', async (_what, worker, status) => {
    const { workerId } = await addWorker(database.pool, worker);
    await markSilentWorkersOffline(database.pool, limits);
    expect(await statusOf(workerId)).toBe(status);
  });

  test('is offline after two minutes when a newer one beats from its address, and the newer one stays', async () => {
    const old = await addWorker(database.pool, { ...deaf, heartbeatAgeMs: 3 * minuteMs });
    await database.pool.query(`update gh_worker_registry set registered_at = now() - interval '1 day'`);
    const newer = await addWorker(database.pool, { host: old.host, probeAgeMs: null });
    expect(await markSilentWorkersOffline(database.pool, limits)).toEqual([{ workerId: old.workerId, reason: 'replaced' }]);
    expect(await statusOf(newer.workerId)).toBe('active');
  });

  test('is not offline after three minutes when only an older one shares its address', async () => {
    const newer = await addWorker(database.pool, { ...deaf, heartbeatAgeMs: 3 * minuteMs });
    const older = await addWorker(database.pool, { host: newer.host, probeAgeMs: null });
    await database.pool.query(`update gh_worker_registry set registered_at = now() - interval '1 day' where worker_id = $1`, [
      older.workerId,
    ]);
    expect(await markSilentWorkersOffline(database.pool, limits)).toEqual([]);
  });

  test('without an address is not replaced by another without one', async () => {
    await addWorker(database.pool, { host: 'unknown', probeAgeMs: null, heartbeatAgeMs: 3 * minuteMs });
    await database.pool.query(`update gh_worker_registry set registered_at = now() - interval '1 day'`);
    await addWorker(database.pool, { host: 'unknown', probeAgeMs: null });
    expect(await markSilentWorkersOffline(database.pool, limits)).toEqual([]);
  });

  test('is named once: a second pass finds nothing', async () => {
    const { workerId } = await addWorker(database.pool, { ...deaf, heartbeatAgeMs: 6 * minuteMs });
    expect(await markSilentWorkersOffline(database.pool, limits)).toEqual([{ workerId, reason: 'silent' }]);
    expect(await markSilentWorkersOffline(database.pool, limits)).toEqual([]);
  });
});
