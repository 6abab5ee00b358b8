import type { Queryable } from './queryable';

/** Notified when a hold ends: its workers may be given jobs at once. */
export const assignChannel = 'yardmaster_assign';

/** The host name that stands for the whole fleet. */
const wholeFleet = '*';

/** Nothing new is assigned anywhere. */
export interface FleetPause {
  reason: string;
  actor: string;
  pausedAt: Date;
}

export const findFleetPause = async (db: Queryable): Promise<FleetPause | null> => {
  const { rows } = await db.query<FleetPause>(
    `select reason, actor, held_at as "pausedAt" from yardmaster.host_hold
     where host = $1 and (expires_at is null or expires_at > now())`,
    [wholeFleet],
  );
  return rows[0] ?? null;
};

/** Pausing a paused fleet changes the reason and keeps the moment. */
export const pauseFleet = async (db: Queryable, { reason, actor }: { reason: string; actor: string }): Promise<FleetPause> => {
  const { rows } = await db.query<FleetPause>(
    `insert into yardmaster.host_hold as h (host, reason, actor) values ($1, $2, $3)
     on conflict (host) do update set reason = excluded.reason, actor = excluded.actor, expires_at = null,
       held_at = case when h.expires_at <= now() then now() else h.held_at end
     returning reason, actor, held_at as "pausedAt"`,
    [wholeFleet, reason, actor],
  );
  const paused = rows[0];
  if (paused === undefined) throw new Error('an upsert answered no row');
  return paused;
};

/** False when it was not paused. */
export const unpauseFleet = async (db: Queryable): Promise<boolean> => {
  const { rowCount } = await db.query(
    `with ended as (delete from yardmaster.host_hold where host = $1 returning host) select pg_notify($2, host) from ended`,
    [wholeFleet, assignChannel],
  );
  return rowCount === 1;
};
