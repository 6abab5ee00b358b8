import { readdirSync } from 'node:fs';
import path from 'node:path';
import { projectRoot } from '../project-root';

/** Beside the sources, also when compiled: the image copies the folder. */
export const migrationsDir = (): string => path.join(projectRoot(), 'src/db/migrations');

/** Which of those that this process was written for are not among the applied ones, in their order. */
export const migrationsToCome = (applied: readonly string[]): string[] => {
  const known = new Set(applied);
  return listMigrations().filter((name) => !known.has(name));
};

let listed: readonly string[] | undefined;

/** As node-pg-migrate names them. Read once: a process keeps the schema that it was started for. */
const listMigrations = (): readonly string[] =>
  (listed ??= readdirSync(migrationsDir())
    .filter((file) => file.endsWith('.sql'))
    .map((file) => path.basename(file, '.sql'))
    .toSorted());
