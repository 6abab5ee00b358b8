import { callAssigner } from '../jobs/assign';
import type { Queryable } from '../queryable';

/** The host name that stands for the whole fleet. */
const wholeFleet = '*';

/** Whose hold it is: a person's of the host, that of a drained worker, of a recycle or of a deploy. Each releases its own alone. */
export const personHolder = 'person';
export const makeWorkerHolder = ({ workerId }: { workerId: string }): string => `worker:${workerId}`;
export const makeRecycleHolder = ({ workerId }: { workerId: string }): string => `recycle:${workerId}`;
export const makeDeployHolder = ({ deployId }: { deployId: string }): string => `deploy:${deployId}`;

/** Nothing new is assigned anywhere. */
export interface FleetPause {
  reason: string;
  actor: string;
  pausedAt: Date;
}

export const findFleetPause = async (db: Queryable): Promise<FleetPause | null> => {
  const { rows } = await db.query<FleetPause>(
    `select reason, actor, held_at as "pausedAt" from yardmaster.host_hold
     where host = $1 and holder = $2 and (expires_at is null or expires_at > now())`,
    [wholeFleet, personHolder],
  );
  return rows[0] ?? null;
};

/** Pausing a paused fleet changes the reason and keeps the moment. */
export const pauseFleet = async (db: Queryable, { reason, actor }: { reason: string; actor: string }): Promise<FleetPause> => {
  const hold = await holdHost(db, { host: wholeFleet, reason, actor, expiresInMs: null });
  return { reason: hold.reason, actor: hold.actor, pausedAt: hold.heldAt };
};

/** False when it was not paused. */
export const unpauseFleet = async (db: Queryable): Promise<boolean> => await releaseHost(db, wholeFleet);

/** A host that gets no new job; what runs there goes on. */
export interface Hold {
  /** An address or an instance id, as the caller named it. */
  host: string;
  /** `person`, `worker:<workerId>`, `recycle:<workerId>` or `deploy:<deployId>`. */
  holder: string;
  reason: string;
  actor: string;
  heldAt: Date;
  expiresAt: Date | null;
}

/**
 * Holding a held host changes reason and end, and keeps the moment. Only a person shortens his own hold: a worker's that nothing but a release ends stays
 * so, when a neighbour drains or deregisters that worker too.
 */
export const holdHost = async (
  db: Queryable,
  {
    host,
    reason,
    actor,
    expiresInMs,
    holder = personHolder,
  }: { host: string; reason: string; actor: string; expiresInMs: number | null; holder?: string },
): Promise<Hold> => {
  const { rows } = await db.query<Hold>(
    `insert into yardmaster.host_hold as h (host, reason, actor, expires_at, holder) values ($1, $2, $3, now() + $4::bigint * interval '1 ms', $5)
     on conflict (host, holder) do update set reason = excluded.reason, actor = excluded.actor,
       expires_at = case when h.holder = $6 or h.expires_at is not null then excluded.expires_at end,
       held_at = case when h.expires_at <= now() then now() else h.held_at end
     returning host, holder, reason, actor, held_at as "heldAt", expires_at as "expiresAt"`,
    [host, reason, actor, expiresInMs, holder, personHolder],
  );
  const held = rows[0];
  if (held === undefined) throw new Error('an upsert answered no row');
  return held;
};

/** False when it was not held. */
export const releaseHost = async (db: Queryable, host: string, holder: string = personHolder): Promise<boolean> => {
  const { rowCount } = await db.query(
    `with ended as (delete from yardmaster.host_hold where host = $1 and holder = $2 returning host) select ${callAssigner} from ended`,
    [host, holder],
  );
  return rowCount === 1;
};

/** Ends every hold of that holder and answers the hosts; none when it held nothing. */
export const releaseHolder = async (db: Queryable, holder: string): Promise<string[]> => {
  const { rows } = await db.query<{ host: string }>(
    `with ended as (delete from yardmaster.host_hold where holder = $1 returning host) select host, ${callAssigner} from ended`,
    [holder],
  );
  return rows.map(({ host }) => host);
};

export const isHeldBy = async (db: Queryable, holder: string): Promise<boolean> => {
  const { rowCount } = await db.query(`select from yardmaster.host_hold where holder = $1 and (expires_at is null or expires_at > now())`, [
    holder,
  ]);
  return (rowCount ?? 0) > 0;
};

/** The hosts that are held, or those of them with one of these names; the pause of the whole fleet is none of them. */
export const listHolds = async (db: Queryable, names: readonly (string | null)[] | null = null): Promise<Hold[]> => {
  const { rows } = await db.query<Hold>(
    `select host, holder, reason, actor, held_at as "heldAt", expires_at as "expiresAt" from yardmaster.host_hold
     where host <> $1 and (expires_at is null or expires_at > now()) and ($2::text[] is null or host = any($2::text[])) order by host, holder`,
    [wholeFleet, names],
  );
  return rows;
};

/** The registered workers that a hold of this name is about, and every hold that keeps jobs from them, by either name and whoever's it is. */
export const readHeldHost = async (db: Queryable, host: string): Promise<{ holds: Hold[]; workers: string[] }> => {
  const { rows } = await db.query<{ worker_id: string; address: string | null; instance: string | null }>(
    `select worker_id, m.address, m.instance from gh_worker_registry
     cross join lateral (select yardmaster.machine_name(ec2_ip) as address, yardmaster.machine_name(ec2_instance_id) as instance) m
     where status <> 'offline' and $1 in (m.address, m.instance) order by worker_id`,
    [host],
  );
  const names = [host, ...rows.flatMap((row) => [row.address, row.instance])];
  return { holds: await listHolds(db, names), workers: rows.map(({ worker_id: workerId }) => workerId) };
};
