import { limits } from '../../src/contracts/limits';
import { readAttempt } from '../../src/db/attempts/attempts';
import { listRegistryPage } from '../../src/db/fleet/fleet-summary';
import { listLiveAttempts } from '../../src/db/attempts/live-attempts';
import { listRegistry } from '../../src/db/fleet/registry';
import { withDatabase } from '../support/database';
import { addWaitingJob, addWorker, assignAll, emptyTables } from '../support/fleet-rows';

/** Postgres 15, which the fleet has, refuses to subtract them ("cannot subtract infinite timestamps"); 18 answers an endless number. Neither may happen. */
const database = withDatabase();
beforeEach(async () => await emptyTables(database.pool));

describe.each(['infinity', '-infinity'])('a moment of %s in a table of the neighbours', (moment) => {
  test('in the registry is no moment', async () => {
    const { workerId } = await addWorker(database.pool);
    await database.pool.query('update gh_worker_registry set last_heartbeat = $1, registered_at = $1', [moment]);
    expect(await listRegistry(database.pool, { rows: 10 })).toMatchObject([{ workerId, heartbeatAgeMs: null, registeredAgeMs: null }]);
    expect(await listRegistryPage(database.pool, { rows: 10 })).toMatchObject([{ worker_id: workerId, uptime_seconds: 0 }]);
  });

  test('in the row of an attempt is no heartbeat', async () => {
    await addWorker(database.pool);
    await addWaitingJob(database.pool);
    const [assigned] = await assignAll(database.pool);
    const attemptId = assigned?.attemptId ?? '';
    await database.pool.query('update gh_automation_jobs set last_heartbeat = $2 where id = $1', [attemptId, moment]);
    expect(await listLiveAttempts(database.pool, limits)).toMatchObject([{ attemptId, row: { heartbeatAgeMs: null } }]);
    expect(await readAttempt(database.pool, attemptId)).toMatchObject({ kind: 'seen', seen: { heartbeatAgeMs: null } });
  });
});

test('a worker that is registered since the year one is up for as long as the page can say', async () => {
  await addWorker(database.pool);
  await database.pool.query(`update gh_worker_registry set registered_at = '0001-01-01'`);
  expect(await listRegistryPage(database.pool, { rows: 10 })).toMatchObject([{ uptime_seconds: 2 ** 31 - 1 }]);
});
