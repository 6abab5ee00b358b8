import { limits } from '../../src/contracts/limits';
import { findWorkersById } from '../../src/db/fleet/deregister';
import { withTransaction } from '../../src/db/pool';
import { holdWorker, openWorkerAct } from '../../src/db/fleet/worker-acts';
import { withDatabase } from '../support/database';
import { addWaitingJob, addWorker, assignAll, emptyTables } from '../support/fleet-rows';

/** Machines that could not read their own id all register as `unknown`, or `local` (ghosthands §2.3). */
const database = withDatabase();
beforeEach(async () => await emptyTables(database.pool));

const isGivenTo = async (): Promise<string[]> => {
  await addWaitingJob(database.pool);
  return (await assignAll(database.pool)).map(({ workerId }) => workerId);
};

describe.each(['unknown', 'local'])('of two workers whose instance is %s', (instanceId) => {
  test('a drain of the one without an address leaves the other idle', async () => {
    const drained = await addWorker(database.pool, { host: 'unknown', instanceId, probeAgeMs: null });
    const other = await addWorker(database.pool, { instanceId });
    const by = {
      actor: 'a test',
      source: 'api',
      address: null,
      reason: 'a test',
      deadlineMs: null,
      isForced: false,
      isFollowUp: false,
    } as const;
    await withTransaction(
      database.pool,
      async (client) => await openWorkerAct(client, limits, { ...by, workerId: drained.workerId, act: 'drain' }),
    );
    expect(await isGivenTo()).toEqual([other.workerId]);
  });

  test('one alone is found to be deregistered, and its hold is not about the other', async () => {
    const gone = await addWorker(database.pool, { host: 'unknown', instanceId, probeAgeMs: null });
    const other = await addWorker(database.pool, { instanceId });
    const found = await findWorkersById(database.pool, gone.workerId);
    expect(found.map(({ workerId }) => workerId)).toEqual([gone.workerId]);
    for (const worker of found)
      await holdWorker(database.pool, worker, { holder: 'a test', reason: 'gone', actor: 'a test', expiresInMs: null });
    expect(await isGivenTo()).toEqual([other.workerId]);
  });

  test('none is found by that word', async () => {
    await addWorker(database.pool, { instanceId });
    await addWorker(database.pool, { instanceId });
    expect(await findWorkersById(database.pool, instanceId)).toEqual([]);
  });
});
