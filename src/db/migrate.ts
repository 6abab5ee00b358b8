import path from 'node:path';
import { runner } from 'node-pg-migrate';
import { projectRoot } from '../project-root';
import type { DbLog } from './pool';

/** Waiting for the other process's migrations, or for a table that somebody holds, is bounded: then the start fails and says so. */
const lockTimeoutMs = 60_000;

export interface MigrateOptions {
  /** Where the numbered SQL files are; the product's own unless a test says otherwise. */
  dir?: string;
}

/**
 * Brings schema `yardmaster` up to date and answers the names of the files that ran. Any number of processes may call it at once: one
 * works, the others wait for it and find nothing to do. The lock is a session lock, so the URL must be the direct one, not a pooler's.
 */
export async function migrate(databaseUrl: string, log: DbLog, options: MigrateOptions = {}): Promise<string[]> {
  const applied = await runner({
    databaseUrl: { connectionString: databaseUrl, application_name: 'yardmaster-migrate', lock_timeout: lockTimeoutMs },
    // Beside the sources, also when compiled: the image copies the folder.
    dir: options.dir ?? path.join(projectRoot(), 'src/db/migrations'),
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
}
