import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import { holdForDeploy, listJobsOnHosts } from '../../src/db/deploys/deploy-fleet';
import { makeDeployHolder, releaseHolder } from '../../src/db/fleet/holds';
import { createPool, withTransaction } from '../../src/db/pool';
import type { Queryable } from '../../src/db/queryable';
import { withDatabase } from '../support/database';
import { addWaitingJobs, addWorkers, assignAll, emptyTables } from '../support/fleet-rows';

const database = withDatabase();
const fleetSize = 8;
/** A deploy and as many who assign, each with a connection, so that they meet in the database and not before it. */
const assigners = 4;
let pool: Pool;

beforeAll(() => {
  pool = createPool(database.databaseUrl, { max: assigners + 1, applicationName: 'yardmaster-test-races' });
});
afterAll(async () => await pool.end());

const hosts = Array.from({ length: fleetSize }, (_, index) => `10.1.0.${index + 1}`);

/** Some assign all at once, some do it in the transaction in which something else takes its time. */
const assign = async (): Promise<number> =>
  await withTransaction(pool, async (client) => {
    const served = await assignAll(client);
    await client.query('select pg_sleep(random() * 0.01)');
    return served.length;
  });

const attemptIdsOn = async (db: Queryable): Promise<string[]> =>
  (await listJobsOnHosts(db, hosts)).map(({ attemptId }) => attemptId).toSorted();

test('a job that ended while its worker keeps its process is waited for until somebody restarts that worker, and says so', async () => {
  await emptyTables(pool);
  await addWorkers(pool, 2);
  await addWaitingJobs(pool, 2);
  await assign();
  const [first] = await listJobsOnHosts(pool, hosts);
  await pool.query(`update yardmaster.job set state = 'succeeded', ended_at = now() where job_id = $1`, [first?.jobId]);
  const states = (await listJobsOnHosts(pool, hosts)).map(({ jobId, state }) => ({ isFirst: jobId === first?.jobId, state }));
  expect(states).toEqual([
    { isFirst: true, state: 'succeeded, but worker-1 still has it: restart that worker' },
    { isFirst: false, state: 'assigned' },
  ]);
});

test('what a deploy sees when its hold is placed is all that its hosts ever get, in sixty races with those who assign', async () => {
  const seenBefore = { none: 0, some: 0 };
  for (let round = 0; round < 60; round++) {
    await emptyTables(pool);
    await addWorkers(pool, fleetSize);
    await addWaitingJobs(pool, fleetSize);
    const deployId = randomUUID();
    const hold = async (): Promise<string[]> => {
      // The moments differ, so that each comes first now and then.
      await pool.query('select pg_sleep(random() * 0.01)');
      return await withTransaction(pool, async (client) => {
        await holdForDeploy(client, { deployId, hosts, reason: 'deploy of v2', actor: 'test', leaseMs: 60_000 });
        return await attemptIdsOn(client);
      });
    };
    const [seen] = await Promise.all([
      hold(),
      ...Array.from({ length: assigners }, async () => {
        await pool.query('select pg_sleep(random() * 0.01)');
        return await assign();
      }),
    ]);
    await assign();
    expect(await attemptIdsOn(pool)).toEqual(seen);
    seenBefore[seen.length === 0 ? 'none' : 'some']++;

    // Released hosts get what waits.
    await releaseHolder(pool, makeDeployHolder({ deployId }));
    await assign();
    expect(await attemptIdsOn(pool)).toHaveLength(fleetSize);
  }
  // Both orders were played, or this was no race.
  expect(Math.min(seenBefore.none, seenBefore.some)).toBeGreaterThan(0);
});
