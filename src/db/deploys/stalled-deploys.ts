import type { DeployKind } from '../../contracts/deploy';
import type { Queryable } from '../queryable';

export interface StalledDeploy {
  deployId: string;
  service: string;
  destination: string;
  kind: DeployKind;
  version: string;
}

/** Deploys under way that nobody touched for long: their workflow may be gone. One that no workflow has taken over is its gateway's to refuse. */
export const listStalledDeploys = async (
  db: Queryable,
  { afterMs, rows: limit }: { afterMs: number; rows: number },
): Promise<StalledDeploy[]> => {
  const { rows } = await db.query<StalledDeploy>(
    `select deploy_id as "deployId", service, destination, kind, version from yardmaster.deploy
     where ended_at is null and owner is not null and touched_at < now() - $1::bigint * interval '1 ms' order by touched_at limit $2::int`,
    [afterMs, limit],
  );
  return rows;
};

/** Accepted, and no workflow has come for them. */
export const listUnstartedDeploys = async (
  db: Queryable,
  { afterMs, rows: limit }: { afterMs: number; rows: number },
): Promise<string[]> => {
  const { rows } = await db.query<{ deploy_id: string }>(
    `select deploy_id from yardmaster.deploy
     where ended_at is null and owner is null and requested_at < now() - $1::bigint * interval '1 ms' order by requested_at limit $2::int`,
    [afterMs, limit],
  );
  return rows.map(({ deploy_id: deployId }) => deployId);
};

/** Ended deploys after the retention, and log lines after theirs, which may be shorter. Answers how many of both. */
export const pruneDeploys = async (
  db: Queryable,
  { deploysMs, linesMs, rows: limit }: { deploysMs: number; linesMs: number; rows: number },
): Promise<number> => {
  const { rowCount: lines } = await db.query(
    `delete from yardmaster.deploy_log l using (
       select o.deploy_id, o.seq from yardmaster.deploy_log o join yardmaster.deploy d using (deploy_id)
       where o.at < now() - $1::bigint * interval '1 ms' and d.ended_at is not null order by o.at limit $2::int
     ) old where l.deploy_id = old.deploy_id and l.seq = old.seq`,
    [linesMs, limit * 20],
  );
  // Its lines go with it, so it waits until most of them are gone.
  const { rowCount: deploys } = await db.query(
    `delete from yardmaster.deploy where deploy_id in (
       select deploy_id from yardmaster.deploy where ended_at < now() - $1::bigint * interval '1 ms' order by ended_at limit $2::int)`,
    [deploysMs, limit],
  );
  return (lines ?? 0) + (deploys ?? 0);
};
