import type { DestinationView } from '../../contracts/deploy';
import type { Queryable } from '../queryable';

/** What the deployer saw last. Destinations that their files no longer have are forgotten. */
export const saveDestinations = async (db: Queryable, seen: readonly DestinationView[], known: readonly string[]): Promise<void> => {
  await db.query(
    `insert into yardmaster.destination (service, destination, hosts, lock, problem, seen_at)
     select d.service, d.destination, d.hosts, nullif(d.lock, 'null'::jsonb), d.problem, d."seenAt"
     from jsonb_to_recordset($1::jsonb) as d(service text, destination text, hosts jsonb, lock jsonb, problem text, "seenAt" timestamptz)
     on conflict (destination) do update set service = excluded.service, hosts = excluded.hosts, lock = excluded.lock, problem = excluded.problem,
       seen_at = excluded.seen_at where yardmaster.destination.seen_at <= excluded.seen_at`,
    [JSON.stringify(seen)],
  );
  await db.query(`delete from yardmaster.destination where destination <> all ($1::text[])`, [known]);
};

/** Nobody holds Kamal's lock at that moment. An inspection that began before it saw another, and is not saved any more. */
export const markLockFree = async (db: Queryable, { destination, at }: { destination: string; at: string }): Promise<void> => {
  await db.query(
    `update yardmaster.destination set lock = null, seen_at = $2::timestamptz where destination = $1 and seen_at <= $2::timestamptz`,
    [destination, at],
  );
};

/** Is a deploy of that id still under way? Null: nobody knows of it. */
export const isDeployLive = async (db: Queryable, deployId: string): Promise<boolean | null> => {
  const { rows } = await db.query<{ is_live: boolean }>(
    `select ended_at is null as is_live from yardmaster.deploy where deploy_id::text = $1`,
    [deployId],
  );
  return rows[0]?.is_live ?? null;
};
