import type { Pool } from 'pg';
import { createCallbackActivities, type CallbackActivities } from '../../activities/jobs/callbacks';
import type { CallbackBody, CallbackStatus } from '../../src/contracts/callback';
import { limits } from '../../src/contracts/limits';
import {
  enqueueCallback,
  leaseNextCallback,
  postponeCallback,
  reopenCallback,
  settleCallback,
  type CallbackTurn,
} from '../../src/db/callbacks/callbacks';
import { listStalledCallbacks } from '../../src/db/jobs/stalled-work';
import { createPool } from '../../src/db/pool';
import type { CallbackReply } from '../../src/domain/callback-answer';
import { withDatabase } from '../support/database';
import { addWaitingJob, emptyTables } from '../support/fleet-rows';
import { makeDeps } from '../support/orchestrator-deps';

const database = withDatabase();
let pool: Pool;
let jobId: string;

beforeAll(() => {
  pool = createPool(database.databaseUrl, { max: 12, applicationName: 'yardmaster-test-callbacks' });
});
afterAll(async () => await pool.end());
beforeEach(async () => {
  await emptyTables(pool);
  jobId = await addWaitingJob(pool, { acceptedAgoMs: 60_000 });
});

const enqueue = async (status: CallbackStatus, { generation = 1, isFinal = false } = {}): Promise<void> => {
  const body: CallbackBody = { job_id: jobId, valet_task_id: null, status };
  await enqueueCallback(pool, { jobId, generation, status, isFinal, isOncePerGeneration: false, body }, limits);
};
const lease = async (name: string, generation = 1): Promise<CallbackTurn> =>
  await leaseNextCallback(pool, { jobId, generation, lease: name, leaseMs: limits.callbackLeaseMs });
const settle = async (seq: number, name: string, settledAs: 'delivered' | 'superseded' = 'delivered'): Promise<void> =>
  await settleCallback(pool, { jobId, generation: 1, seq, lease: name }, { settledAs, error: null });
const rowsOf = async (columns: string): Promise<object[]> =>
  (await pool.query<object>(`select ${columns} from yardmaster.callback where job_id = $1 order by generation, seq`, [jobId])).rows;

const failed = (status: number, retryAfterMs: number | null = null): CallbackReply => ({
  kind: 'failed',
  error: `HTTP ${status}`,
  status,
  retryAfterMs,
});

/** The real activity with a product that answers as the test says. */
const deliverWith = (answer: (body: CallbackBody) => Promise<CallbackReply> | CallbackReply): CallbackActivities['deliverDueCallbacks'] => {
  const { deliverDueCallbacks } = createCallbackActivities(
    makeDeps(pool, { callbacks: { send: async (_url, body) => await answer(body) } }),
  );
  return deliverDueCallbacks;
};

describe('writing callbacks', () => {
  test('P5: numbers them, by twenty writers at once, without a gap', async () => {
    await Promise.all(Array.from({ length: 20 }, async () => await enqueue('paused')));
    await expect(rowsOf('seq')).resolves.toEqual(Array.from({ length: 20 }, (_, index) => ({ seq: index + 1 })));
  });

  test('P5: lets an end that nobody has sent yet say what is proven since, and leaves one that was sent alone', async () => {
    const prove = async (): Promise<void> =>
      await enqueueCallback(
        pool,
        {
          jobId,
          generation: 1,
          status: 'completed',
          isFinal: true,
          isOncePerGeneration: false,
          isInsteadOfUnsent: true,
          body: { job_id: jobId, valet_task_id: null, status: 'completed' },
        },
        limits,
      );
    await enqueue('failed', { isFinal: true });
    await lease('one');
    await prove();
    await expect(rowsOf('word')).resolves.toEqual([{ word: 'failed' }]);
    await postponeCallback(pool, { jobId, generation: 1, seq: 1, lease: 'one' }, { error: 'refused', limits });
    await prove();
    await expect(rowsOf(`seq, word, is_final, body ->> 'status' as status`)).resolves.toEqual([
      { seq: 1, word: 'completed', is_final: true, status: 'completed' },
    ]);
    await pool.query('update yardmaster.callback set next_try_at = now()');
    await expect(lease('two')).resolves.toMatchObject({ kind: 'send', callback: { body: { status: 'completed' } } });
    await settle(1, 'two');
    await prove();
    await expect(rowsOf('word, settled_as')).resolves.toEqual([{ word: 'completed', settled_as: 'delivered' }]);
  });

  test.each([
    ['40 s', 30, 40],
    ['-40 s', 0, 0],
  ])('says of a wait for a person how long it lasts when it is sent: %s', async (left, least, most) => {
    const interaction = { type: 'captcha', description: 'A captcha', timeout_seconds: 300 };
    await enqueueCallback(
      pool,
      {
        jobId,
        generation: 1,
        status: 'paused',
        isFinal: false,
        isOncePerGeneration: false,
        waitsMs: 300_000,
        body: { job_id: jobId, valet_task_id: null, status: 'paused', interaction },
      },
      limits,
    );
    await pool.query(`update yardmaster.callback set waits_until = now() + $1::interval`, [left]);
    const turn = await lease('one');
    const seconds = turn.kind === 'send' ? turn.callback.body.interaction?.timeout_seconds : undefined;
    expect(seconds).toBeGreaterThanOrEqual(least);
    expect(seconds).toBeLessThanOrEqual(most);
  });

  test('P5: takes one final callback of a generation and nothing after it', async () => {
    await enqueue('running');
    await enqueue('completed', { isFinal: true });
    await enqueue('failed', { isFinal: true });
    await enqueue('running');
    await expect(rowsOf('word, is_final')).resolves.toEqual([
      { word: 'running', is_final: false },
      { word: 'completed', is_final: true },
    ]);
  });

  test('P5: takes one of ten final callbacks that race', async () => {
    await Promise.allSettled(Array.from({ length: 10 }, async () => await enqueue('failed', { isFinal: true })));
    await expect(rowsOf('is_final')).resolves.toEqual([{ is_final: true }]);
  });

  test('P5: is refused by the table itself when a generation gets a second final one', async () => {
    await enqueue('completed', { isFinal: true });
    const second = pool.query(
      `insert into yardmaster.callback (job_id, generation, seq, word, is_final, body, next_try_at, give_up_at)
       values ($1, 1, 9, 'failed', true, '{}', now(), now())`,
      [jobId],
    );
    await expect(second).rejects.toThrow(/callback_one_final_key/);
  });

  test('gives the next generation a final one of its own', async () => {
    await enqueue('failed', { isFinal: true });
    await enqueue('completed', { generation: 2, isFinal: true });
    await expect(rowsOf('generation, word')).resolves.toEqual([
      { generation: 1, word: 'failed' },
      { generation: 2, word: 'completed' },
    ]);
  });

  test('writes none for a job that nobody wants to hear of', async () => {
    jobId = await addWaitingJob(pool, { callbackUrl: null });
    await enqueue('running');
    await expect(rowsOf('word')).resolves.toEqual([]);
  });

  test('holds the first one back until the product has written our 201', async () => {
    jobId = await addWaitingJob(pool);
    await enqueue('running');
    const turn = await lease('a');
    expect(turn).toMatchObject({ kind: 'later' });
    expect(turn.kind === 'later' && turn.inMs > 0 && turn.inMs <= limits.firstCallbackDelayMs).toBe(true);
  });
});

describe('leasing callbacks', () => {
  test('gives them in order, an older generation first', async () => {
    await enqueue('failed', { isFinal: true });
    await enqueue('running', { generation: 2 });
    await expect(lease('a', 2)).resolves.toMatchObject({
      kind: 'send',
      callback: { generation: 1, seq: 1, url: 'http://product.test/callbacks' },
    });
    await settle(1, 'a');
    await expect(lease('a', 2)).resolves.toMatchObject({ kind: 'send', callback: { generation: 2, body: { status: 'running' } } });
  });

  test('says when nothing is left', async () => {
    await expect(lease('a')).resolves.toEqual({ kind: 'none' });
  });

  test('gives a leased one to nobody else, and none behind it', async () => {
    await enqueue('running');
    await enqueue('completed', { isFinal: true });
    await expect(lease('a')).resolves.toMatchObject({ kind: 'send', callback: { seq: 1 } });
    const turn = await lease('b');
    expect(turn).toMatchObject({ kind: 'later' });
    expect(turn.kind === 'later' && turn.inMs > limits.callbackLeaseMs - 5_000).toBe(true);
  });

  test('gives the same one again to the same lease', async () => {
    await enqueue('running');
    await lease('a');
    await expect(lease('a')).resolves.toMatchObject({ kind: 'send', callback: { seq: 1 } });
  });

  test('gives it to another once the lease has run out, and the late settlement of the first has no effect', async () => {
    await enqueue('running');
    await lease('dead');
    await pool.query(`update yardmaster.callback set leased_until = now() - interval '1 ms'`);
    await expect(lease('b')).resolves.toMatchObject({ kind: 'send', callback: { seq: 1 } });
    await settle(1, 'dead');
    await postponeCallback(pool, { jobId, generation: 1, seq: 1, lease: 'dead' }, { error: 'late', limits });
    await expect(rowsOf('settled_as, tries, lease')).resolves.toEqual([{ settled_as: null, tries: 0, lease: 'b' }]);
    await enqueue('completed', { isFinal: true });
    const ending = { settledAs: 'refused', error: 'HTTP 410', endsGeneration: true } as const;
    await settleCallback(pool, { jobId, generation: 1, seq: 1, lease: 'dead' }, ending);
    await expect(rowsOf('settled_as')).resolves.toEqual([{ settled_as: null }, { settled_as: null }]);
  });

  test('of ten runners at once goes to one', async () => {
    await enqueue('running');
    const turns = await Promise.all(Array.from({ length: 10 }, async (_, index) => await lease(`runner-${index}`)));
    expect(turns.filter(({ kind }) => kind === 'send')).toHaveLength(1);
  });
});

describe('delivering callbacks', () => {
  test('by four runners at once sends one after the other, in order, each once', async () => {
    const statuses: CallbackStatus[] = ['running', 'paused', 'running', 'paused', 'running', 'completed'];
    for (const status of statuses) await enqueue(status, { isFinal: status === 'completed' });
    const sent: CallbackStatus[] = [];
    let [sending, mostAtOnce] = [0, 0];
    const deliver = deliverWith(async ({ status }) => {
      sending += 1;
      mostAtOnce = Math.max(mostAtOnce, sending);
      sent.push(status);
      // Long enough for the others to look.
      await pool.query('select pg_sleep(0.02)');
      sending -= 1;
      return { kind: 'accepted' };
    });
    const runner = async (): Promise<void> => {
      for (let isThrough = false; !isThrough;) {
        isThrough = (await deliver({ jobId, generation: 1 })).nextInMs === null;
      }
    };
    await Promise.all([runner(), runner(), runner(), runner()]);
    expect(mostAtOnce).toBe(1);
    expect(sent).toEqual(statuses);
    await expect(rowsOf('distinct settled_as, tries, generation, seq')).resolves.toHaveLength(statuses.length);
  });

  test('stops at one that fails, and leaves the order as it is', async () => {
    await enqueue('running');
    await enqueue('completed', { isFinal: true });
    const sent: CallbackStatus[] = [];
    const deliver = deliverWith(({ status }) => {
      sent.push(status);
      return failed(503);
    });
    const { nextInMs } = await deliver({ jobId, generation: 1 });
    expect(sent).toEqual(['running']);
    expect(nextInMs).toBeGreaterThan(0);
    await expect(rowsOf('tries, last_error, settled_at')).resolves.toEqual([
      { tries: 1, last_error: 'HTTP 503', settled_at: null },
      { tries: 0, last_error: null, settled_at: null },
    ]);
  });

  test('settles the rest of the generation when the task of the product is terminal already', async () => {
    for (const status of ['running', 'paused', 'completed'] as const) await enqueue(status, { isFinal: status === 'completed' });
    await enqueue('running', { generation: 2 });
    const deliver = deliverWith(() => ({ kind: 'skipped' }));
    await expect(deliver({ jobId, generation: 1 })).resolves.toEqual({ nextInMs: null });
    await expect(rowsOf('generation, settled_as, tries')).resolves.toEqual([
      { generation: 1, settled_as: 'superseded', tries: 1 },
      { generation: 1, settled_as: 'superseded', tries: 0 },
      { generation: 1, settled_as: 'superseded', tries: 0 },
      { generation: 2, settled_as: null, tries: 0 },
    ]);
  });

  test('goes on behind one that may not be sent to its address', async () => {
    await enqueue('running');
    await enqueue('completed', { isFinal: true });
    const deliver = deliverWith(({ status }) => (status === 'running' ? { kind: 'refused', error: 'not allowed' } : { kind: 'accepted' }));
    await expect(deliver({ jobId, generation: 1 })).resolves.toEqual({ nextInMs: null });
    await expect(rowsOf('settled_as, last_error')).resolves.toEqual([
      { settled_as: 'refused', last_error: 'not allowed' },
      { settled_as: 'delivered', last_error: null },
    ]);
  });

  test('P5: leaves out a progress message that is refused for good, and tells the end at once', async () => {
    for (const status of ['running', 'paused', 'completed'] as const) await enqueue(status, { isFinal: status === 'completed' });
    const deliver = deliverWith(({ status }) => (status === 'completed' ? { kind: 'accepted' } : failed(400)));
    await expect(deliver({ jobId, generation: 1 })).resolves.toEqual({ nextInMs: null });
    await expect(rowsOf('word, settled_as, last_error, tries')).resolves.toEqual([
      { word: 'running', settled_as: 'refused', last_error: 'HTTP 400', tries: 1 },
      { word: 'paused', settled_as: 'refused', last_error: 'HTTP 400', tries: 1 },
      { word: 'completed', settled_as: 'delivered', last_error: null, tries: 1 },
    ]);
  });

  test('P5: keeps a progress message before a receiver that refuses its key, until the end waits behind it', async () => {
    await enqueue('running');
    await enqueue('paused');
    const deliver = deliverWith(() => failed(401, 3_600_000));
    const { nextInMs } = await deliver({ jobId, generation: 1 });
    expect(nextInMs).toBeGreaterThan(3_500_000);
    await enqueue('failed', { isFinal: true });
    // Whatever it had to wait for: what it gives way to does not.
    await deliver({ jobId, generation: 1 });
    await expect(rowsOf('word, settled_as')).resolves.toEqual([
      { word: 'running', settled_as: 'refused' },
      { word: 'paused', settled_as: 'refused' },
      { word: 'failed', settled_as: null },
    ]);
  });

  test('P5: tells a refused end again, until the next generation has something to tell', async () => {
    await enqueue('failed', { isFinal: true });
    const sent: CallbackStatus[] = [];
    const deliver = deliverWith(({ status }) => {
      sent.push(status);
      return status === 'failed' ? failed(422) : { kind: 'accepted' };
    });
    await deliver({ jobId, generation: 1 });
    await expect(rowsOf('settled_as, tries, last_error')).resolves.toEqual([{ settled_as: null, tries: 1, last_error: 'HTTP 422' }]);
    await expect(deliver({ jobId, generation: 1 })).resolves.toMatchObject({ nextInMs: expect.any(Number) });
    await enqueue('running', { generation: 2 });
    await expect(deliver({ jobId, generation: 2 })).resolves.toEqual({ nextInMs: null });
    expect(sent).toEqual(['failed', 'failed', 'running']);
    await expect(rowsOf('settled_as')).resolves.toEqual([{ settled_as: 'refused' }, { settled_as: 'delivered' }]);
  });

  test('ends a generation whose receiver is gone for good', async () => {
    for (const word of ['running', 'completed'] as const) await enqueue(word, { isFinal: word === 'completed' });
    await enqueue('running', { generation: 2 });
    const sent: number[] = [];
    const deliver = deliverWith(() => (sent.push(410), failed(410)));
    await expect(deliver({ jobId, generation: 2 })).resolves.toEqual({ nextInMs: null });
    expect(sent).toHaveLength(2);
    await expect(rowsOf('generation, settled_as, tries')).resolves.toEqual([
      { generation: 1, settled_as: 'refused', tries: 1 },
      { generation: 1, settled_as: 'refused', tries: 0 },
      { generation: 2, settled_as: 'refused', tries: 1 },
    ]);
  });

  test('comes back when the product asked it to, and not before the back-off', async () => {
    await enqueue('running');
    const waits: (number | null)[] = [];
    for (const retryAfterMs of [600_000, 0]) {
      await pool.query('update yardmaster.callback set next_try_at = now()');
      waits.push((await deliverWith(() => failed(429, retryAfterMs))({ jobId, generation: 1 })).nextInMs);
    }
    expect(waits[0]).toBeGreaterThan(590_000);
    expect(waits[0]).toBeLessThanOrEqual(600_000);
    expect(waits[1]).toBeGreaterThan(1_000);
    expect(waits[1]).toBeLessThanOrEqual(2_000);
  });

  test('P5: lets an end wait behind a progress message that a busy product asked to have later', async () => {
    await enqueue('running');
    const sent: CallbackStatus[] = [];
    const deliver = deliverWith(({ status }) => (sent.push(status), failed(503, 60_000)));
    await deliver({ jobId, generation: 1 });
    await enqueue('completed', { isFinal: true });
    const { nextInMs } = await deliver({ jobId, generation: 1 });
    expect(nextInMs).toBeGreaterThan(50_000);
    expect(sent).toEqual(['running']);
  });

  test('P5: an end that was sent by a run which died is sent again, and is the only one', async () => {
    await enqueue('running');
    await enqueue('completed', { isFinal: true });
    const sent: CallbackStatus[] = [];
    const dying = deliverWith(({ status }) => {
      sent.push(status);
      if (status === 'completed') throw new Error('killed behind the answer');
      return { kind: 'accepted' };
    });
    await expect(dying({ jobId, generation: 1 })).rejects.toThrow('killed');
    await enqueue('failed', { isFinal: true });
    await pool.query(`update yardmaster.callback set leased_until = now() - interval '1 ms' where leased_until is not null`);
    await deliverWith(({ status }) => (sent.push(status), { kind: 'accepted' }))({ jobId, generation: 1 });
    expect(sent).toEqual(['running', 'completed', 'completed']);
    await expect(rowsOf('word, settled_as')).resolves.toEqual([
      { word: 'running', settled_as: 'delivered' },
      { word: 'completed', settled_as: 'delivered' },
    ]);
  });

  test('gives up after a day of failures, with the reason, and goes on', async () => {
    await enqueue('running');
    await pool.query(`update yardmaster.callback set give_up_at = now() - interval '1 s'`);
    const deliver = deliverWith(() => failed(500));
    await expect(deliver({ jobId, generation: 1 })).resolves.toEqual({ nextInMs: null });
    await expect(rowsOf('settled_as, last_error, tries')).resolves.toEqual([{ settled_as: 'given_up', last_error: 'HTTP 500', tries: 1 }]);
  });
});

describe('the back-off of a callback', () => {
  test.each([
    [0, 1],
    [1, 2],
    [2, 4],
    [3, 8],
    [9, 512],
    [10, 900],
    [5_000, 900],
  ])('after %i tries is %i s', async (tries, seconds) => {
    await enqueue('running');
    await pool.query(`update yardmaster.callback set tries = $1`, [tries]);
    await lease('a');
    await postponeCallback(pool, { jobId, generation: 1, seq: 1, lease: 'a' }, { error: 'HTTP 503', limits });
    await expect(rowsOf(`round(extract(epoch from next_try_at - now()))::int as seconds, lease, tries`)).resolves.toEqual([
      { seconds, lease: null, tries: tries + 1 },
    ]);
  });
});

describe('a callback that a person asks for again', () => {
  test('is sent again though it was delivered', async () => {
    await enqueue('completed', { isFinal: true });
    await lease('a');
    await settle(1, 'a');
    await expect(lease('b')).resolves.toEqual({ kind: 'none' });
    await expect(reopenCallback(pool, { jobId, generation: 1, seq: 1, giveUpMs: 60_000 })).resolves.toBe(true);
    await expect(lease('b')).resolves.toMatchObject({ kind: 'send', callback: { seq: 1, tries: 0 } });
  });

  test('P5: that was refused waits as a new one does, and not for what its refusal had let pass', async () => {
    await enqueue('running');
    await deliverWith(() => failed(404))({ jobId, generation: 1 });
    await enqueue('completed', { isFinal: true });
    await deliverWith(({ status }) => (status === 'running' ? failed(404) : { kind: 'accepted' }))({ jobId, generation: 1 });
    await reopenCallback(pool, { jobId, generation: 1, seq: 1, giveUpMs: 60_000 });
    await expect(rowsOf('settled_as, is_refused')).resolves.toEqual([
      { settled_as: null, is_refused: false },
      { settled_as: 'delivered', is_refused: false },
    ]);
  });

  test('is unknown where there is none', async () => {
    await expect(reopenCallback(pool, { jobId, generation: 1, seq: 7, giveUpMs: 60_000 })).resolves.toBe(false);
  });
});

describe('callbacks that nobody delivers', () => {
  const stalled = async (): Promise<object[]> => await listStalledCallbacks(pool, { afterMs: 1_000, rows: 10 });
  const age = async (): Promise<void> => void (await pool.query(`update yardmaster.callback set next_try_at = now() - interval '1 min'`));
  const end = async (): Promise<void> =>
    void (await pool.query(`update yardmaster.job set state = 'failed', ended_at = now() where job_id = $1`, [jobId]));

  test('are those of an ended job that are due for a while, up to its newest generation', async () => {
    await enqueue('failed', { isFinal: true });
    await enqueue('running', { generation: 2 });
    await end();
    await age();
    await expect(stalled()).resolves.toEqual([{ jobId, generation: 2 }]);
  });

  test('are not those of a live job, whose workflow delivers them', async () => {
    await enqueue('running');
    await age();
    await expect(stalled()).resolves.toEqual([]);
  });

  test('are those of an earlier generation of a live job', async () => {
    await enqueue('failed', { isFinal: true });
    await pool.query(`update yardmaster.job set generation = 2 where job_id = $1`, [jobId]);
    await age();
    await expect(stalled()).resolves.toEqual([{ jobId, generation: 1 }]);
  });

  test('are not those that somebody sends at the moment, or that are not due', async () => {
    await enqueue('failed', { isFinal: true });
    await end();
    await expect(stalled()).resolves.toEqual([]);
    await lease('a');
    await age();
    await expect(stalled()).resolves.toEqual([]);
  });
});
