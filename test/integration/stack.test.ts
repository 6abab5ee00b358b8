import { randomBytes } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { Client as TemporalClient, Connection } from '@temporalio/client';
import { Client as PgClient } from 'pg';
import { projectRoot } from '../../src/dev/project-root';
import { type Stack, type StackOptions, startStack } from '../../src/dev/stack';

let dir: string;
let stack: Stack | undefined;
beforeEach(async () => {
  // Not by mkdtemp, whose folders nobody else may enter: under root, Postgres runs as another user.
  dir = path.join(projectRoot(), `.yardmaster/test-stack-${randomBytes(4).toString('hex')}`);
  await mkdir(dir, { recursive: true });
});
afterEach(async () => {
  await stack?.stop();
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
  stack = await startStack(options());
  await sql(stack, 'create table old (word text)');
  await stack.stop();
  stack = await startStack(options({ fresh: true }));
  expect(await sql(stack, `select from pg_tables where tablename = 'old'`)).toEqual([]);
});

test('keeps the histories of ended workflows for 72 hours, as a cluster does', async () => {
  stack = await startStack(options());
  const { config } = await withClient(stack, (client) => client.connection.workflowService.describeNamespace({ namespace: 'default' }));
  expect(Number(config?.workflowExecutionRetentionTtl?.seconds)).toBe(72 * 3_600);
});

test('stops what it has started when the rest cannot start, and names the port', async () => {
  stack = await startStack(options());
  const taken = Number(stack.temporal.address.split(':')[1]);
  const second = startStack(options({ dir: path.join(dir, 'second'), temporalPort: taken }));
  await expect(second).rejects.toThrow(`Port ${taken} on 127.0.0.1, wanted for Temporal, is taken by another program. Choose another with`);
  // The directory of the second is free again: its Postgres has ended.
  const third = await startStack(options({ dir: path.join(dir, 'second') }));
  await third.stop();
});

function options(change: Partial<StackOptions> = {}): StackOptions {
  return { dir, postgresPort: 0, temporalPort: 0, temporalUiPort: null, ...change };
}

async function sql({ databaseUrl }: Stack, statement: string): Promise<unknown[]> {
  const client = new PgClient({ connectionString: databaseUrl });
  await client.connect();
  try {
    return (await client.query(statement)).rows;
  } finally {
    await client.end();
  }
}

async function withClient<Result>({ temporalAddress }: Stack, work: (client: TemporalClient) => Promise<Result>): Promise<Result> {
  const connection = await Connection.connect({ address: temporalAddress });
  try {
    return await work(new TemporalClient({ connection }));
  } finally {
    await connection.close();
  }
}
