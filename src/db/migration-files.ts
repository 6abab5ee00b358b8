import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';

/** Beside package.json in src/db, from the sources as well as from the compiled files (the image copies the folder). */
export function migrationsDir(): string {
  for (let folder = __dirname; ; folder = path.dirname(folder)) {
    if (existsSync(path.join(folder, 'package.json'))) return path.join(folder, 'src/db/migrations');
    if (folder === path.dirname(folder)) throw new Error(`No package.json above ${__dirname}, so the migrations are not found`);
  }
}

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
