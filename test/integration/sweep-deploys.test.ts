import { randomUUID } from 'node:crypto';
import { appendOwnLine } from '../../src/db/deploys/deploy-logs';
import { findDeploy } from '../../src/db/deploys/deploy-rows';
import { withDatabase } from '../support/database';
import { insertNewDeploy } from '../support/new-deploy';
import { sweepOnce } from '../support/sweep-pass';

const database = withDatabase();

const addDeploy = async ({ ageMs, isTaken = true }: { ageMs: number; isTaken?: boolean }): Promise<string> => {
  const deployId = randomUUID();
  await insertNewDeploy(database.pool, { deployId, owner: 'run' });
  await database.pool.query(
    `update yardmaster.deploy set touched_at = now() - $2::int * interval '1 ms', requested_at = now() - $2::int * interval '1 ms',
       owner = case when $3 then owner end where deploy_id = $1`,
    [deployId, ageMs, isTaken],
  );
  return deployId;
};

const end = async (deployId: string, ageMs: number): Promise<void> =>
  void (await database.pool.query(
    `update yardmaster.deploy set outcome = 'succeeded', ended_at = now() - $2::bigint * interval '1 ms' where deploy_id = $1`,
    [deployId, ageMs],
  ));

test('a deploy that nobody touches any more gets its workflow again; one that is being worked on does not', async () => {
  const stalled = await addDeploy({ ageMs: 120_000 });
  const busy = await addDeploy({ ageMs: 1_000 });
  const ended = await addDeploy({ ageMs: 120_000 });
  await end(ended, 0);
  const pass = await sweepOnce(database.pool);
  expect(pass.notified.filter((notified) => notified.startsWith('deploy '))).toEqual([`deploy ${stalled}`]);
  expect(pass.of('deploy_without_workflow').map(({ subject }) => subject)).toEqual([stalled]);
  expect(await findDeploy(database.pool, busy)).toMatchObject({ outcome: null });
});

test('a deploy that waits for an approval has its workflow, and is left alone', async () => {
  await addDeploy({ ageMs: 120_000 });
  const { rows } = await database.pool.query<{ destination: string }>('select destination from yardmaster.deploy where ended_at is null');
  const pass = await sweepOnce(database.pool, { deploying: rows.map(({ destination }) => destination) });
  expect(pass.notified.filter((notified) => notified.startsWith('deploy '))).toEqual([]);
  expect(pass.of('deploy_without_workflow')).toEqual([]);
});

test('an accepted deploy that nobody began is refused, and its destination is free again', async () => {
  const deployId = await addDeploy({ ageMs: 120_000, isTaken: false });
  const fresh = await addDeploy({ ageMs: 1_000, isTaken: false });
  await sweepOnce(database.pool);
  expect(await findDeploy(database.pool, deployId)).toMatchObject({ outcome: 'refused', phase: 'done' });
  expect(await findDeploy(database.pool, fresh)).toMatchObject({ outcome: null });
});

test('a deploy and the lines of its log go after their retention, and no line of one that is under way', async () => {
  const monthMs = 31 * 86_400_000;
  const [old, recent, live] = [await addDeploy({ ageMs: 0 }), await addDeploy({ ageMs: 0 }), await addDeploy({ ageMs: 0 })];
  for (const deployId of [old, recent, live]) await appendOwnLine(database.pool, { deployId, line: 'x' });
  await database.pool.query(`update yardmaster.deploy_log set at = now() - interval '31 days'`);
  await end(old, monthMs);
  await end(recent, 0);
  await sweepOnce(database.pool);
  const lines = async (deployId: string): Promise<number | null> =>
    (await database.pool.query('select from yardmaster.deploy_log where deploy_id = $1', [deployId])).rowCount;
  expect(await findDeploy(database.pool, old)).toBeNull();
  expect([await lines(recent), await lines(live)]).toEqual([0, 1]);
  expect(await findDeploy(database.pool, recent)).toMatchObject({ lastSeq: 1 });
});
