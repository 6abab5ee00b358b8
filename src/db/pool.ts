import { Pool, type PoolClient } from 'pg';

/** What this folder needs of a logger; winston's fits. */
export interface DbLog {
  info(message: string, fields?: object): unknown;
  warn(message: string, fields?: object): unknown;
}

export interface PoolOptions {
  /** Part of the connection budget of the process (README). */
  max: number;
  /** Shown in pg_stat_activity. */
  applicationName: string;
  log?: DbLog;
}

/** A caller that gets no connection in this time is told so, rather than waiting behind an exhausted pool. */
const connectionTimeoutMillis = 5_000;

/**
 * int8 and numeric stay strings (they exceed what a JavaScript number holds exactly) and timestamptz becomes a Date: pg's own defaults,
 * which the row mappers rely on.
 */
export function createPool(databaseUrl: string, options: PoolOptions): Pool {
  const pool = new Pool({
    connectionString: databaseUrl,
    max: options.max,
    application_name: options.applicationName,
    connectionTimeoutMillis,
    keepAlive: true,
  });
  // Without a listener, the end of an idle connection (a restart of Postgres) would end the process. The pool replaces it by itself.
  pool.on('error', (error) => options.log?.warn('An idle database connection was lost', { reason: error.message }));
  return pool;
}

/** Commits what `work` did, or nothing of it. The error of `work` wins over an error of the rollback. */
export async function withTransaction<Result>(pool: Pool, work: (client: PoolClient) => Promise<Result>): Promise<Result> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    await client.query('begin');
    const result = await work(client);
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback').catch((rollbackError: Error) => {
      // The connection is in an unknown state: it must not go back to the pool.
      broken = rollbackError;
    });
    throw error;
  } finally {
    client.release(broken);
  }
}
