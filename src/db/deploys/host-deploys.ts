import type { DeployView } from '../../contracts/deploy';
import { selectDeploys, toDeployView, type DeployRow } from './deploy-rows';
import type { Queryable } from '../queryable';

/** Newest first. */
export const listDeploysOfHost = async (db: Queryable, { host, rows: most }: { host: string; rows: number }): Promise<DeployView[]> => {
  const { rows } = await db.query<DeployRow>(
    `${selectDeploys} where exists (select from yardmaster.deploy_host t where t.deploy_id = d.deploy_id and yardmaster.machine_name(t.host) = $1)
     order by d.requested_at desc, d.deploy_id desc limit $2::int`,
    [host, most],
  );
  return rows.map(toDeployView);
};

/** What the last deploy left on each host. */
export const listHostVersions = async (db: Queryable): Promise<ReadonlyMap<string, string>> => {
  const { rows } = await db.query<{ host: string; version: string }>(
    `select distinct on (m.host) m.host, h.version_now as version from yardmaster.deploy_host h join yardmaster.deploy d using (deploy_id)
     cross join lateral (select yardmaster.machine_name(h.host) as host) m
     where h.version_now is not null order by m.host, d.requested_at desc`,
  );
  return new Map(rows.map(({ host, version }) => [host, version]));
};
