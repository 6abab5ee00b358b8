import type { Pool } from 'pg';
import { createPool } from '../../src/db/pool';

/** A pool that counts what it sends. By replacing a method of each connection, since pg tells nobody. */
export const countStatements = (databaseUrl: string): { pool: Pool; sent(): number; end(): Promise<void> } => {
  const pool = createPool(databaseUrl, { max: 4, applicationName: 'yardmaster-test-count' });
  let statements = 0;
  pool.on('connect', (client) => {
    const query = client.query.bind(client) as (...args: unknown[]) => unknown;
    Object.assign(client, {
      query: (...args: unknown[]) => {
        statements++;
        return query(...args);
      },
    });
  });
  return { pool, sent: () => statements, end: async () => await pool.end() };
};
