import type { Queryable } from '../queryable';

/** Hosts whose GH API answered the last probe, the latest answer first. After ten minutes without a probe another machine may have the address. */
export const listApiHosts = async (db: Queryable, { rows: most }: { rows: number }): Promise<string[]> => {
  const { rows } = await db.query<{ host: string }>(
    `select host from yardmaster.host_probe where is_api_up and probed_at > now() - interval '10 min' order by probed_at desc, host limit $1::int`,
    [most],
  );
  return rows.map(({ host }) => host);
};
