import type { Queryable } from '../queryable';

/** Keeps what a resume carries, sealed, until its command takes it. In the transaction that writes the command. */
export const saveSecret = async (
  db: Queryable,
  { commandId, sealed, lifeMs }: { commandId: string; sealed: Buffer; lifeMs: number },
): Promise<void> => {
  await db.query(
    `insert into yardmaster.secret (command_id, sealed, expires_at) values ($1::uuid, $2::bytea, now() + $3::int * interval '1 ms')`,
    [commandId, sealed, lifeMs],
  );
};

export const hasSecret = async (db: Queryable, commandId: string): Promise<boolean> => {
  const { rowCount } = await db.query(`select from yardmaster.secret where command_id = $1::uuid and expires_at > now()`, [commandId]);
  return rowCount === 1;
};

/** Used once: the row is gone with this, expired or not; null when there is nothing to use. */
export const takeSecret = async (db: Queryable, commandId: string): Promise<Buffer | null> => {
  const { rows } = await db.query<{ sealed: Buffer; is_fresh: boolean }>(
    `delete from yardmaster.secret where command_id = $1::uuid returning sealed, expires_at > now() as is_fresh`,
    [commandId],
  );
  return rows[0]?.is_fresh === true ? rows[0].sealed : null;
};

/** For the sweep: nobody came for these. Answers how many. */
export const eraseExpiredSecrets = async (db: Queryable): Promise<number> => {
  const { rowCount } = await db.query(`delete from yardmaster.secret where expires_at <= now()`);
  return rowCount ?? 0;
};
