import { randomBytes } from 'node:crypto';
import { Client, type Pool } from 'pg';
import { createPool } from '../../src/db/pool';
import type { FleetSchemaVariant } from '../../dev/fleet-schema/load';
import { hasFailedTest, testFileName } from './failure';

export interface TestDatabase {
  databaseUrl: string;
  name: string;
  /** Small on purpose; make your own where a test needs many connections at once. */
  pool: Pool;
  drop(): Promise<void>;
}

export interface TestDatabaseOptions {
  /** Which of the neighbours' real schemas it has; `none` is an empty database. */
  variant?: FleetSchemaVariant | 'none';
}

/** A database of its own, cloned from a template with the neighbours' tables and our migrations (about 50 ms). */
export async function createTestDatabase(options: TestDatabaseOptions = {}): Promise<TestDatabase> {
  const { variant = 'staging' } = options;
  const { adminUrl, runId } = testRun();
  const name = `ym_${runId}_${testFileName().replaceAll(/\W+/g, '_').slice(0, 30)}_${randomBytes(3).toString('hex')}`;
  await runAsAdmin(adminUrl, (admin) =>
    admin.query(`create database ${name} template ${variant === 'none' ? 'template0' : templateName(runId, variant)}`),
  );
  const databaseUrl = withDatabaseName(adminUrl, name);
  const pool = createPool(databaseUrl, { max: 10, applicationName: 'yardmaster-test', isDirect: true });
  return {
    databaseUrl,
    name,
    pool,
    drop: async () => {
      await pool.end();
      await runAsAdmin(adminUrl, (admin) => admin.query(`drop database if exists ${name} with (force)`));
    },
  };
}

/** One database for the tests of a describe block or file. When one of them fails the database stays, and its URL is printed. */
export function withDatabase(options: TestDatabaseOptions = {}): Omit<TestDatabase, 'drop'> {
  let made: TestDatabase | undefined;
  const get = (): TestDatabase => made ?? unavailable();
  beforeAll(async () => {
    made = await createTestDatabase(options);
  });
  afterAll(async () => {
    if (!made) return;
    if (!hasFailedTest()) return made.drop();
    await made.pool.end();
    process.stderr.write(`The database of the failed test is kept until the next run: ${made.databaseUrl}\n`);
  });
  return {
    get databaseUrl() {
      return get().databaseUrl;
    },
    get name() {
      return get().name;
    },
    get pool() {
      return get().pool;
    },
  };
}

function unavailable(): never {
  throw new Error('withDatabase() gives the database inside of tests and hooks only');
}

export function templateName(runId: string, variant: FleetSchemaVariant): string {
  return `ym_${runId}_template_${variant.replaceAll('-', '_')}`;
}

export function withDatabaseName(databaseUrl: string, name: string): string {
  const url = new URL(databaseUrl);
  url.pathname = `/${name}`;
  return url.href;
}

export async function runAsAdmin<Result>(adminUrl: string, work: (admin: Client) => Promise<Result>): Promise<Result> {
  const admin = new Client({ connectionString: adminUrl });
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.end();
  }
}

/** What test/support/global-setup.ts left in the environment. */
function testRun(): { adminUrl: string; runId: string } {
  const { TEST_DATABASE_URL: adminUrl, TEST_RUN_ID: runId } = process.env;
  if (!adminUrl || !runId) throw new Error('No test database: tests with servers live outside of test/unit');
  return { adminUrl, runId };
}
