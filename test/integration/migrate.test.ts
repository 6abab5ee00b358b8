import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { migrate } from '../../src/db/migrate';
import { migrationsDir } from '../../src/db/migration-files';
import { dumpSchema } from '../../dev/tools/dump-schema';
import { projectRoot } from '../../src/project-root';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { until } from '../support/until';

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

test('says so when somebody ends its session in the middle, and the next run does it all', async () => {
  await write('000001_slow.sql', 'create table yardmaster.one (a int); select pg_sleep(60);');
  const end = async (): Promise<boolean> => {
    const { rowCount } = await database.pool.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and application_name = 'yardmaster-migrate' and query like '%pg_sleep%'`,
    );
    return rowCount === 1;
  };
  await Promise.all([
    expect(migrate(database.databaseUrl, log, { dir })).rejects.toThrow(/terminat/),
    until(end, { what: 'its session is ended' }),
  ]);
  await write('000001_slow.sql', 'create table yardmaster.one (a int);');
  expect(await migrate(database.databaseUrl, log, { dir })).toEqual(['000001_slow']);
});

test('src/db/schema.sql is the schema that the migrations make ("npm run schema:dump" writes it)', async () => {
  await migrate(database.databaseUrl, log);
  const dump = await dumpSchema(database.pool, 'yardmaster');
  const file = path.join(projectRoot(), 'src/db/schema.sql');
  if (process.env.WRITE_SCHEMA_DUMP) await writeFile(file, dump);
  expect(await readFile(file, 'utf8')).toBe(dump);
});

test('what was held or seen under another spelling of a machine is so under its name', async () => {
  const all = (await readdir(migrationsDir())).toSorted();
  const naming = all.indexOf('000015_machine_name.sql');
  const copy = async (names: readonly string[]): Promise<void> => {
    for (const name of names) await write(name, await readFile(path.join(migrationsDir(), name), 'utf8'));
  };
  await copy(all.slice(0, naming));
  await migrate(database.databaseUrl, log, { dir });
  await database.pool.query(
    `insert into yardmaster.host_hold (host, holder, reason, actor, expires_at) values
       ('10.0.0.1', 'person', 'ends', 'zoe', now() + interval '1 h'), ('::FFFF:10.0.0.1', 'person', 'stays', 'zoe', null),
       ('010.0.0.1', 'person', 'ends first', 'zoe', now() + interval '1 min'), ('10.0.0.01', 'deploy:1', 'another', 'zoe', now()),
       ('10.0.0.2', 'person', 'stays', 'zoe', null), ('10.0.0.02', 'person', 'ends', 'zoe', now()), ('*', 'person', 'a pause', 'zoe', null);
     insert into yardmaster.host_probe (host, probed_at, is_api_up, is_worker_up) values ('10.0.0.1', now(), true, true), ('10.0.0.01', now(), true, true)`,
  );
  await copy(all.slice(naming, naming + 1));
  await migrate(database.databaseUrl, log, { dir });
  const held = `select host, holder, expires_at is null as "isOpen" from yardmaster.host_hold order by host, holder`;
  expect((await database.pool.query(held)).rows).toEqual([
    { host: '*', holder: 'person', isOpen: true },
    { host: '10.0.0.1', holder: 'deploy:1', isOpen: false },
    { host: '10.0.0.1', holder: 'person', isOpen: true },
    { host: '10.0.0.2', holder: 'person', isOpen: true },
  ]);
  expect((await database.pool.query('select host from yardmaster.host_probe')).rows).toEqual([{ host: '10.0.0.1' }]);
});

async function write(name: string, sql: string): Promise<void> {
  await writeFile(path.join(dir, name), sql);
}
