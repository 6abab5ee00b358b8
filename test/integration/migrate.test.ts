import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { migrate } from '../../src/db/migrate';
import { createTestDatabase, type TestDatabase } from '../support/database';

const log = { info: () => undefined, warn: () => undefined };

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase({ variant: 'none' });
});
afterEach(() => database.drop());

test('applies each migration exactly once when several processes start at the same time', async () => {
  const dir = await folderOf({ '000001_slow.sql': 'create table yardmaster.one (a int); select pg_sleep(0.3);' });
  const ran = await Promise.all([1, 2, 3].map(() => migrate(database.databaseUrl, log, { dir })));
  expect(ran.flat()).toEqual(['000001_slow']);
});

async function folderOf(files: Record<string, string>): Promise<string> {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'yardmaster-migrations-'));
  for (const [name, sql] of Object.entries(files)) await writeFile(path.join(dir, name), sql);
  folders.push(dir);
  return dir;
}

const folders: string[] = [];
afterAll(async () => {
  for (const dir of folders) await rm(dir, { recursive: true });
});
