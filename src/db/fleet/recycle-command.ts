import type { RecycleReadiness } from '../../contracts/worker-act';
import type { Queryable } from '../queryable';

/** What the deployer said last of its recycle command; null before the first time. */
export const findRecycleReadiness = async (
  db: Queryable,
): Promise<(RecycleReadiness & { askedAt: Date; provenAt: Date | null }) | null> => {
  const { rows } = await db.query<RecycleReadiness & { askedAt: Date; provenAt: Date | null }>(
    `select state, detail, asked_at as "askedAt", proven_at as "provenAt" from yardmaster.recycle_command`,
  );
  return rows[0] ?? null;
};

/** An answer that is good is asked for again after a while, any other one soon: a person may have repaired it. */
export const isRecycleAskDue = async (
  db: Queryable,
  { everyMs, unreadyEveryMs }: { everyMs: number; unreadyEveryMs: number },
): Promise<boolean> => {
  const { rows } = await db.query<{ due: boolean }>(
    `select not exists (select from yardmaster.recycle_command
       where asked_at > now() - case when state in ('checked', 'proven', 'unproven') then $1::int else $2::int end * interval '1 ms') as due`,
    [everyMs, unreadyEveryMs],
  );
  return rows[0]?.due ?? true;
};

/** A command that is there and was proven once stays so: a recycle is the better proof. */
export const noteRecycleReadiness = async (db: Queryable, { state, detail }: RecycleReadiness): Promise<void> => {
  await db.query(
    `insert into yardmaster.recycle_command as c (state, detail) values ($1, $2)
     on conflict (only_one) do update set asked_at = now(),
       state = case when excluded.state = 'unproven' and c.proven_at is not null then 'proven' else excluded.state end,
       detail = case when excluded.state = 'unproven' and c.proven_at is not null then c.detail else excluded.detail end`,
    [state, detail],
  );
};

export const noteRecycleProof = async (db: Queryable, detail: string): Promise<void> => {
  await db.query(
    `insert into yardmaster.recycle_command as c (state, detail, proven_at) values ('proven', $1, now())
     on conflict (only_one) do update set state = 'proven', detail = excluded.detail, proven_at = now()`,
    [detail],
  );
};
