import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { migrate } from '../../src/db/migrate';
import { dumpSchema } from '../../src/dev/dump-schema';
import { projectRoot } from '../../src/project-root';
import { createTestDatabase, type TestDatabase } from '../support/database';

const log = { info: () => undefined, warn: () => undefined };

let database: TestDatabase;
let dir: string;
beforeEach(async () => {
  database = await createTestDatabase({ variant: 'none' });
  dir = await mkdtemp(path.join(os.tmpdir(), 'yardmaster-migrations-'));
});
afterEach(async () => {
  await rm(dir, { recursive: true });
  await database.drop();
});

test('applies each migration exactly once when several processes start at the same time', async () => {
  await write('000001_slow.sql', 'create table yardmaster.one (a int); select pg_sleep(0.3);');
  const ran = await Promise.all([1, 2, 3].map(() => migrate(database.databaseUrl, log, { dir })));
  expect(ran.flat()).toEqual(['000001_slow']);
});

test('runs only what is new, in the order of the numbers', async () => {
  await write('000001_one.sql', 'create table yardmaster.one (a int);');
  await migrate(database.databaseUrl, log, { dir });
  await write('000010_three.sql', 'alter table yardmaster.two rename to three;');
  await write('000002_two.sql', 'alter table yardmaster.one rename to two;');
  expect(await migrate(database.databaseUrl, log, { dir })).toEqual(['000002_two', '000010_three']);
});

test('leaves nothing behind when one of several new migrations fails', async () => {
  await write('000001_good.sql', 'create table yardmaster.one (a int);');
  await write('000002_bad.sql', 'create table yardmaster.two (a no_such_type);');
  await expect(migrate(database.databaseUrl, log, { dir })).rejects.toThrow('no_such_type');
  await write('000002_bad.sql', 'select 1;');
  expect(await migrate(database.databaseUrl, log, { dir })).toEqual(['000001_good', '000002_bad']);
});

test('src/db/schema.sql is the schema that the migrations make ("npm run schema:dump" writes it)', async () => {
  await migrate(database.databaseUrl, log);
  const dump = await dumpSchema(database.pool, 'yardmaster');
  const file = path.join(projectRoot(), 'src/db/schema.sql');
  if (process.env.WRITE_SCHEMA_DUMP) await writeFile(file, dump);
  expect(await readFile(file, 'utf8')).toBe(dump);
});

async function write(name: string, sql: string): Promise<void> {
  await writeFile(path.join(dir, name), sql);
}
