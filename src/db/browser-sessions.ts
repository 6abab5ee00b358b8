import type { Queryable } from './queryable';

/** A login that GH keeps for a user; what is in it is sealed, and never read here. */
export interface BrowserSession {
  domain: string;
  last_used_at: Date;
  created_at: Date;
  updated_at: Date;
  expires_at: Date | null;
}

export const listBrowserSessions = async (db: Queryable, userId: string): Promise<BrowserSession[]> => {
  if (!(await hasSessions(db))) return [];
  const { rows } = await db.query<BrowserSession>(
    `select domain, last_used_at, created_at, updated_at, expires_at from gh_browser_sessions where user_id = $1::uuid order by last_used_at desc, domain`,
    [userId],
  );
  return rows;
};

/** Of one domain, or of all; how many there were. */
export const deleteBrowserSessions = async (db: Queryable, userId: string, domain: string | null): Promise<number> => {
  if (!(await hasSessions(db))) return 0;
  const { rowCount } = await db.query(`delete from gh_browser_sessions where user_id = $1::uuid and ($2::text is null or domain = $2)`, [
    userId,
    domain,
  ]);
  return rowCount ?? 0;
};

/** GH's table, which a database may lack. */
const hasSessions = async (db: Queryable): Promise<boolean> => {
  const { rows } = await db.query<{ exists: boolean }>(`select to_regclass('gh_browser_sessions') is not null as exists`);
  return rows[0]?.exists === true;
};
