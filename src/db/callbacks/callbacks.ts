import type { CallbackBody, CallbackStatus } from '../../contracts/callback';
import type { Limits } from '../../contracts/limits';
import { queryNamed, type Queryable } from '../queryable';

/**
 * Writes a callback with the state change that it reports, as the next of its generation. A second final one is refused by the table (promise 5).
 * `isOncePerGeneration`: not when this generation has sent this status already. `isInsteadOfUnsent`: a final one of this generation that nobody is sending, and
 * that the product has not taken, says this instead; one that it has taken stays the only one.
 * `waitsMs`: so long somebody waits from now on, which the body says anew whenever it is sent.
 */
export const enqueueCallback = async (
  db: Queryable,
  callback: {
    jobId: string;
    generation: number;
    status: CallbackStatus;
    isFinal: boolean;
    isOncePerGeneration: boolean;
    isInsteadOfUnsent?: boolean;
    waitsMs?: number | null;
    body: CallbackBody;
  },
  limits: Pick<Limits, 'firstCallbackDelayMs' | 'callbackGiveUpMs'>,
): Promise<void> => {
  await queryNamed(db, {
    name: 'enqueue_callback',
    text: `
     with corrected as (
       update yardmaster.callback set word = $3, body = $5::jsonb
       where $9::boolean and job_id = $1::uuid and generation = $2::int and is_final and settled_at is null and lease is null
     ), numbered as (
       update yardmaster.job set callback_seq = callback_seq + 1
       where job_id = $1::uuid and callback_url is not null
         and not exists (select from yardmaster.callback where job_id = $1::uuid and generation = $2::int and (is_final or ($8::boolean and word = $3)))
       returning callback_seq, accepted_at
     )
     insert into yardmaster.callback (job_id, generation, seq, word, is_final, body, next_try_at, give_up_at, waits_until)
     select $1::uuid, $2::int, callback_seq, $3, $4, $5::jsonb,
       greatest(now(), accepted_at + $6::int * interval '1 ms'), now() + $7::bigint * interval '1 ms', now() + $10::bigint * interval '1 ms'
     from numbered`,
    values: [
      callback.jobId,
      callback.generation,
      callback.status,
      callback.isFinal,
      JSON.stringify(callback.body),
      limits.firstCallbackDelayMs,
      limits.callbackGiveUpMs,
      callback.isOncePerGeneration,
      callback.isInsteadOfUnsent ?? false,
      callback.waitsMs ?? null,
    ],
  });
};

export interface LeasedCallback {
  generation: number;
  seq: number;
  url: string;
  body: CallbackBody;
  tries: number;
  isOverdue: boolean;
  isFinal: boolean;
  /** The final one of its generation, or any one of a later generation, waits behind it. */
  isOutdated: boolean;
}

/**
 * The next callback in order, ours for a while; or when to come back; or that none is left. An older generation's callbacks go first. One that was refused
 * waits for nothing once it is outdated: neither its back-off nor a Retry-After holds back what tells more.
 */
export type CallbackTurn = { kind: 'send'; callback: LeasedCallback } | { kind: 'later'; inMs: number } | { kind: 'none' };

export const leaseNextCallback = async (
  db: Queryable,
  { jobId, generation, lease, leaseMs }: { jobId: string; generation: number; lease: string; leaseMs: number },
): Promise<CallbackTurn> => {
  const { rows } = await queryNamed<{
    generation: number;
    seq: number;
    url: string | null;
    body: CallbackBody;
    tries: number;
    is_overdue: boolean;
    is_final: boolean;
    is_outdated: boolean;
    is_leased: boolean;
    wait_ms: number;
  }>(db, {
    name: 'lease_callback',
    text: `
     with first as (
       select * from yardmaster.callback where job_id = $1::uuid and generation <= $2::int and settled_at is null order by generation, seq limit 1
     ), head as (
       select f.*, exists (
         select from yardmaster.callback n
         where n.job_id = f.job_id and n.settled_at is null and (n.generation > f.generation or (n.generation = f.generation and n.is_final and n.seq > f.seq))
       ) as is_outdated
       from first f
     ), leased as (
       update yardmaster.callback c set lease = $3, leased_until = now() + $4::int * interval '1 ms',
         body = case when c.waits_until is null then c.body
           else jsonb_set(c.body, '{interaction,timeout_seconds}', to_jsonb(greatest(0, floor(extract(epoch from c.waits_until - now())))::int)) end
       from head h
       where c.job_id = h.job_id and c.generation = h.generation and c.seq = h.seq and c.settled_at is null
         and (c.next_try_at <= now() or (c.is_refused and h.is_outdated)) and (c.leased_until is null or c.leased_until <= now() or c.lease = $3)
       returning c.seq, c.body
     )
     -- What it says may have changed while the lease waited for it.
     select h.generation, h.seq, j.callback_url as url, coalesce(l.body, h.body) as body, h.tries, h.give_up_at <= now() as is_overdue, h.is_final, h.is_outdated,
       l.seq is not null as is_leased,
       greatest(0, ceil(extract(epoch from greatest(case when h.is_refused and h.is_outdated then now() else h.next_try_at end, h.leased_until) - now()) * 1000))::int
         as wait_ms
     from head h join yardmaster.job j using (job_id) left join leased l using (seq)`,
    values: [jobId, generation, lease, leaseMs],
  });
  const head = rows[0];
  if (head === undefined) return { kind: 'none' };
  if (!head.is_leased || head.url === null) return { kind: 'later', inMs: Math.max(50, head.wait_ms) };
  const { generation: ofGeneration, seq, url, body, tries, is_overdue: isOverdue, is_final: isFinal, is_outdated: isOutdated } = head;
  return { kind: 'send', callback: { generation: ofGeneration, seq, url, body, tries, isOverdue, isFinal, isOutdated } };
};

interface CallbackKey {
  jobId: string;
  generation: number;
  seq: number;
  lease: string;
}

/** `endsGeneration`: the rest of the generation is settled with it, since the product has ended its task, or is gone. Nothing is when the lease is another's. */
export const settleCallback = async (
  db: Queryable,
  { jobId, generation, seq, lease }: CallbackKey,
  {
    settledAs,
    error,
    endsGeneration = false,
  }: { settledAs: 'delivered' | 'superseded' | 'given_up' | 'refused'; error: string | null; endsGeneration?: boolean },
): Promise<void> => {
  await queryNamed(db, {
    name: 'settle_callback',
    text: `
     update yardmaster.callback set settled_at = now(), settled_as = $5, last_error = $6, tries = tries + case when seq = $3::int then 1 else 0 end,
       leased_until = null, lease = null
     where job_id = $1::uuid and generation = $2::int and settled_at is null
       and (seq = $3::int or ($7::boolean and seq > $3::int))
       and exists (
         select from yardmaster.callback s
         where s.job_id = $1::uuid and s.generation = $2::int and s.seq = $3::int and s.lease = $4 and s.settled_at is null
       )`,
    values: [jobId, generation, seq, lease, settledAs, error, endsGeneration],
  });
};

/** Back-off 1 s × 2 up to 15 min, by the database's clock, or longer where the product asks for it. `isRefused`: the receiver answered, and would not take it. */
export const postponeCallback = async (
  db: Queryable,
  { jobId, generation, seq, lease }: CallbackKey,
  {
    error,
    notBeforeMs = 0,
    isRefused = false,
    limits,
  }: { error: string; notBeforeMs?: number; isRefused?: boolean; limits: Pick<Limits, 'callbackBackoffFirstMs' | 'callbackBackoffMaxMs'> },
): Promise<void> => {
  await db.query(
    `update yardmaster.callback set tries = tries + 1, last_error = $5, is_refused = $9::boolean, leased_until = null, lease = null,
       next_try_at = now() + greatest($8::float8, least($7::float8, $6::float8 * 2 ^ least(tries, 20))) * interval '1 ms'
     where job_id = $1::uuid and generation = $2::int and seq = $3::int and lease = $4 and settled_at is null`,
    [jobId, generation, seq, lease, error, limits.callbackBackoffFirstMs, limits.callbackBackoffMaxMs, notBeforeMs, isRefused],
  );
};

/** A person asks for one callback again, delivered or not. False when there is no such callback. */
export const reopenCallback = async (
  db: Queryable,
  { jobId, generation, seq, giveUpMs }: { jobId: string; generation: number; seq: number; giveUpMs: number },
): Promise<boolean> => {
  const { rowCount } = await db.query(
    `update yardmaster.callback set settled_at = null, settled_as = null, is_refused = false, next_try_at = now(), give_up_at = now() + $4::bigint * interval '1 ms', tries = 0
     where job_id = $1::uuid and generation = $2::int and seq = $3::int`,
    [jobId, generation, seq, giveUpMs],
  );
  return rowCount === 1;
};
