import { runner } from 'node-pg-migrate';
import { Client } from 'pg';
import { migrationTimeouts, statementSession } from './connection';
import { migrationsDir } from './migration-files';
import type { DbLog } from './pool';

export interface MigrateOptions {
  /** Where the numbered SQL files are; the product's own unless a test says otherwise. */
  dir?: string;
}

/**
 * Brings schema `yardmaster` up to date and answers the names of the files that ran. Any number of processes may call it at once: one
 * works, the others wait for it and find nothing to do. The lock is a session lock, so the URL must be the direct one, not a pooler's.
 */
export async function migrate(databaseUrl: string, log: DbLog, options: MigrateOptions = {}): Promise<string[]> {
  // Ours, since the runner's own has nobody to hear of its end, which would be that of the process, and goes on ending when the runner is through.
  const client = new Client(statementSession(databaseUrl, { applicationName: 'yardmaster-migrate', timeouts: migrationTimeouts }));
  client.on('error', () => undefined);
  try {
    await client.connect();
    const applied = await runner({
      dbClient: client,
      dir: options.dir ?? migrationsDir(),
      direction: 'up',
      schema: 'yardmaster',
      createSchema: true,
      migrationsSchema: 'yardmaster',
      migrationsTable: 'migration',
      singleTransaction: true,
      // The default, "fail", ends every process but the first.
      advisoryLockMode: 'wait',
      logger: { info: () => undefined, warn: (message) => log.warn(message), error: (message) => log.warn(message) },
    });
    const names = applied.map((migration) => migration.name);
    log.info(names.length === 0 ? 'The database schema is up to date' : 'Migrated the database', { migrations: names });
    return names;
  } finally {
    await client.end().catch(() => undefined);
  }
}
