import { findUnchangedSince, saveProbes, type HostProbe } from '../../src/db/fleet/workers';
import { withDatabase } from '../support/database';

const database = withDatabase();
const host = '10.7.0.1';

const save = async (more: Partial<HostProbe>): Promise<void> => {
  const probe = {
    host,
    isApiUp: true,
    imageTag: null,
    isWorkerUp: false,
    workerId: null,
    dispatchMode: null,
    isRunning: null,
    isDraining: null,
    activeJobs: null,
    uptimeMs: null,
    sentAtMs: Date.now(),
    problem: null,
    ...more,
  };
  await saveProbes(database.pool, [probe], { jitterMs: 2_000 });
};
const answers = (workerId: string): Partial<HostProbe> => ({ isWorkerUp: true, workerId, activeJobs: 0, uptimeMs: 1_000 });
const refused = { problem: 'refused' };

it('remembers the first of the probes that said the same, and forgets it with the first that does not', async () => {
  await save(answers('worker-1'));
  expect(await findUnchangedSince(database.pool, host, 'refused')).toBeNull();
  const up = await findUnchangedSince(database.pool, host, { workerId: 'worker-1' });
  await save(answers('worker-1'));
  expect(await findUnchangedSince(database.pool, host, { workerId: 'worker-1' })).toEqual(up);

  await save(refused);
  const since = await findUnchangedSince(database.pool, host, 'refused');
  expect(since?.getTime()).toBeGreaterThan(up?.getTime() ?? Infinity);
  await save(refused);
  expect(await findUnchangedSince(database.pool, host, 'refused')).toEqual(since);
  expect(await findUnchangedSince(database.pool, host, { workerId: 'worker-1' })).toBeNull();

  await save({ problem: 'nothing within 2000 ms' });
  expect(await findUnchangedSince(database.pool, host, 'refused')).toBeNull();
  await save(refused);
  expect((await findUnchangedSince(database.pool, host, 'refused'))?.getTime()).toBeGreaterThan(since?.getTime() ?? Infinity);
  await save(answers('worker-2'));
  expect(await findUnchangedSince(database.pool, host, { workerId: 'worker-1' })).toBeNull();
  expect(await findUnchangedSince(database.pool, host, { workerId: 'worker-2' })).not.toBeNull();
});

it('keeps the image that a host ran last while its API is down', async () => {
  const image = async (): Promise<unknown> =>
    (await database.pool.query('select image_tag from yardmaster.host_probe where host = $1', [host])).rows[0]?.image_tag;
  await save({ ...answers('worker-1'), imageTag: 'staging-1' });
  await save({ isApiUp: false });
  expect(await image()).toBe('staging-1');
  await save({ ...answers('worker-1'), imageTag: 'staging-2' });
  expect(await image()).toBe('staging-2');
});
