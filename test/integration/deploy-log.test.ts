import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, type Pool } from 'pg';
import { createDeployLog, OvertakenError, type DeployLog } from '../../activities/deploys/deploy-log';
import { deployLogChannel } from '../../src/contracts/deploy';
import { limits, type Limits } from '../../src/contracts/limits';
import type { appendLogLines } from '../../src/db/deploys/deploy-logs';
import { claimDeploy } from '../../src/db/deploys/deploys';
import { createLog } from '../../src/log';
import { withDatabase } from '../support/database';
import { insertNewDeploy } from '../support/new-deploy';
import { until } from '../support/until';

const database = withDatabase();
const log = createLog({ level: 'error', process: 'test' });

const open = async (pool: Pool, more: Partial<Limits> = {}): Promise<{ deployId: string; runner: string; writer: DeployLog }> => {
  const deployId = randomUUID();
  const runner = randomUUID();
  await insertNewDeploy(database.pool, { deployId, owner: 'test' });
  await claimDeploy(database.pool, { deployId, runner });
  return { deployId, runner, writer: createDeployLog({ pool, log, limits: { ...limits, ...more }, deployId, runner, lastSeq: 0 }) };
};

const stored = async (deployId: string): Promise<{ seq: string; stream: string; line: string }[]> => {
  const { rows } = await database.pool.query<{ seq: string; stream: string; line: string }>(
    `select seq, stream, line from yardmaster.deploy_log where deploy_id = $1 order by seq`,
    [deployId],
  );
  return rows;
};

test('lines are stored in their order, numbered without a gap, and announced by number only', async () => {
  const listener = new Client({ connectionString: database.databaseUrl });
  await listener.connect();
  const heard: string[] = [];
  listener.on('notification', ({ payload }) => void heard.push(payload ?? ''));
  await listener.query(`listen ${deployLogChannel}`);
  const { deployId, writer } = await open(database.pool);
  for (let n = 1; n <= 2_500; n++) void writer.write({ stream: n % 2 === 0 ? 'stdout' : 'stderr', line: `line ${n}` });
  await writer.say('a line of ours');
  await writer.flush();
  const rows = await stored(deployId);
  expect(rows.map(({ seq }) => Number(seq))).toEqual(Array.from({ length: 2_501 }, (_, index) => index + 1));
  expect(rows.slice(0, -1).map(({ line }) => line)).toEqual(Array.from({ length: 2_500 }, (_, index) => `line ${index + 1}`));
  expect(rows.at(-1)).toMatchObject({ stream: 'yardmaster', line: 'a line of ours' });
  await until(() => heard.includes(`${deployId} 2501`), { what: 'the last number is heard' });
  expect(heard.filter((payload) => !/^[0-9a-f-]{36} \d+$/.test(payload))).toEqual([]);
  await listener.end();
});

test('a run that was overtaken writes nothing more, and hears of it', async () => {
  const { deployId, writer } = await open(database.pool);
  await writer.say('mine');
  await writer.flush();
  await claimDeploy(database.pool, { deployId, runner: randomUUID() });
  await expect(
    (async () => {
      for (let n = 0; n < 100; n++) {
        await writer.say('too late');
        await writer.flush();
      }
    })(),
  ).rejects.toBeInstanceOf(OvertakenError);
  expect((await stored(deployId)).map(({ line }) => line)).toEqual(['mine']);
});

test('lines wait while Postgres does not answer, hold up their writer at the bound, and come in order afterwards', async () => {
  let isDown = true;
  const failing = new Proxy(database.pool, {
    get: (target, name) =>
      name === 'query' && isDown
        ? async () => await Promise.reject(Object.assign(new Error('the database system is shutting down'), { code: '57P01' }))
        : Reflect.get(target, name),
  });
  const { deployId, writer } = await open(failing, { deployLogWaitingLines: 50, deployLogRetryMs: 20 });
  let written = 0;
  const writing = (async () => {
    for (let n = 1; n <= 200; n++) {
      await writer.write({ stream: 'stdout', line: `line ${n}` });
      written = n;
    }
  })();
  await delay(300);
  expect(written).toBeLessThan(50);
  isDown = false;
  await writing;
  await writer.flush();
  expect((await stored(deployId)).map(({ line }) => line)).toEqual(Array.from({ length: 200 }, (_, index) => `line ${index + 1}`));
});

test('a batch whose answer was lost on its way is not stored twice', async () => {
  let lost = 0;
  const lossy = new Proxy(database.pool, {
    get: (target, name) =>
      name === 'query'
        ? async (...args: Parameters<typeof appendLogLines>) => {
            const answer: unknown = await (target.query as unknown as (...given: unknown[]) => Promise<unknown>).apply(target, args);
            const [text]: unknown[] = args;
            if (typeof text === 'string' && text.includes('append_log_lines') && lost++ % 2 === 0)
              throw Object.assign(new Error('Connection terminated unexpectedly'), { code: '08006' });
            return answer;
          }
        : Reflect.get(target, name),
  });
  const { deployId, writer } = await open(lossy, { deployLogRetryMs: 5, deployLogBatchLines: 7 });
  for (let n = 1; n <= 100; n++) await writer.write({ stream: 'stdout', line: 'the same line each time' });
  await writer.flush();
  expect(lost).toBeGreaterThan(2);
  expect(await stored(deployId)).toHaveLength(100);
});

test('a line with a NUL, or without a word, is stored all the same', async () => {
  const { deployId, writer } = await open(database.pool);
  await writer.write({ stream: 'stdout', line: 'a\u0000b' });
  await writer.write({ stream: 'stdout', line: '' });
  await writer.flush();
  expect((await stored(deployId)).map(({ line }) => line)).toEqual(['a\uFFFDb', '']);
});
