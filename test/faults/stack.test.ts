import { randomBytes } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { Client as TemporalClient, Connection } from '@temporalio/client';
import { Client as PgClient } from 'pg';
import { startPostgres } from '../../dev/tools/postgres';
import { projectRoot } from '../../src/project-root';
import { type Stack, type StackOptions, startStack } from '../../dev/tools/stack';

let dir: string;
let stack: Stack | undefined;
beforeEach(async () => {
  // Not by mkdtemp, whose folders nobody else may enter: under root, Postgres runs as another user.
  dir = path.join(projectRoot(), `.yardmaster/test-stack-${randomBytes(4).toString('hex')}`);
  await mkdir(dir, { recursive: true });
});
afterEach(async () => {
  await stack?.stop();
  stack = undefined;
  await rm(dir, { recursive: true });
});

test('keeps what was written, in Postgres and in Temporal, when both servers are killed', async () => {
  stack = await startStack(options());
  await sql(stack, 'create table kept (word text)');
  await sql(stack, `insert into kept values ('é')`);
  await withClient(stack, (client) => client.workflow.start('waitForEver', { workflowId: 'kept', taskQueue: 'nobody' }));

  process.kill(await stack.postgres!.serverPid(), 'SIGKILL');
  process.kill(await stack.temporal.serverPid(), 'SIGKILL');
  await Promise.all([stack.postgres!.ended, stack.temporal.ended]);

  stack = await startStack(options());
  expect(await sql(stack, 'select word from kept')).toEqual([{ word: 'é' }]);
  const { status } = await withClient(stack, (client) => client.workflow.getHandle('kept').describe());
  expect(status.name).toBe('RUNNING');
});

test('throws the state away when it is told to start fresh', async () => {
  const old = await startPostgres({ dir, port: 0, say: ignore });
  await sql(old, 'create table old (word text)');
  await old.stop();
  const fresh = await startPostgres({ dir, port: 0, fresh: true, say: ignore });
  const tables = await sql(fresh, `select from pg_tables where tablename = 'old'`);
  await fresh.stop();
  expect(tables).toEqual([]);
});

test('keeps the histories of ended workflows for 72 hours, as a cluster does', async () => {
  const ofTheRun = { temporalAddress: process.env.TEST_TEMPORAL_ADDRESS ?? '' };
  const { config } = await withClient(ofTheRun, (client) => client.connection.workflowService.describeNamespace({ namespace: 'default' }));
  expect(Number(config?.workflowExecutionRetentionTtl?.seconds)).toBe(72 * 3_600);
});

test('stops what it has started when the rest cannot start, and names the port', async () => {
  const taken = Number(process.env.TEST_TEMPORAL_ADDRESS?.split(':')[1]);
  const failing = startStack(options({ temporalPort: taken }));
  await expect(failing).rejects.toThrow(
    `Port ${taken} on 127.0.0.1, wanted for Temporal, is taken by another program. Choose another with`,
  );
  // Nothing holds its directory any more: the Postgres that could start has ended.
  const next = await startPostgres({ dir: path.join(dir, 'postgres'), port: 0, say: ignore });
  await next.stop();
});

const ignore = (): void => undefined;

function options(change: Partial<StackOptions> = {}): StackOptions {
  return { dir, postgresPort: 0, temporalPort: 0, temporalUiPort: null, ...change };
}

async function sql({ databaseUrl }: { databaseUrl: string }, statement: string): Promise<unknown[]> {
  const client = new PgClient({ connectionString: databaseUrl });
  await client.connect();
  try {
    return (await client.query(statement)).rows;
  } finally {
    await client.end();
  }
}

async function withClient<Result>(
  { temporalAddress }: { temporalAddress: string },
  work: (client: TemporalClient) => Promise<Result>,
): Promise<Result> {
  const connection = await Connection.connect({ address: temporalAddress });
  try {
    return await work(new TemporalClient({ connection }));
  } finally {
    await connection.close();
  }
}
