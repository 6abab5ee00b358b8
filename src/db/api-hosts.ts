import type { Queryable } from './queryable';

/** Hosts whose GH API answered the last probe, the latest answer first. */
export const listApiHosts = async (db: Queryable, { rows: most }: { rows: number }): Promise<string[]> => {
  const { rows } = await db.query<{ host: string }>(
    `select host from yardmaster.host_probe where is_api_up order by probed_at desc, host limit $1::int`,
    [most],
  );
  return rows.map(({ host }) => host);
};
