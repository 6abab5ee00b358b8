import { Connection, type Client as TemporalClient } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import type { Pool } from 'pg';
import { limits } from '../src/contracts/limits';
import { createPool } from '../src/db/pool';
import type { Stack } from '../dev/tools/stack';
import { createClient } from '../src/temporal/connection';
import { ensureSearchAttributes } from '../src/temporal/namespace';
import { assignerSettings } from '../workers/assigner';
import { startBareJobs, type BareJobs } from './bare/bare-jobs';
import { startControlPlane, type ControlPlane } from './control-plane';
import { createFreshDatabase, registerWorkers } from './database';
import { readCpuTime, type CpuTime } from './cpu-time';
import { countStatements } from './statement-count';

/** Both sides of the measures about jobs, on one server and one database. */
export interface BenchFixture {
  pool: Pool;
  client: TemporalClient;
  ours: ControlPlane;
  bare: BareJobs;
  /** Statements that gateway, orchestrator and assigner have sent. */
  statementsSent(): number;
  cpuTime(): CpuTime | null;
  stop(): Promise<void>;
}

const namespace = 'default';

export const startBenchFixture = async (
  stack: Stack,
  { name, workers, restMs }: { name: string; workers: number; restMs: number },
): Promise<BenchFixture> => {
  const pids = { temporal: await stack.temporal.serverPid(), postgres: (await stack.postgres?.serverPid()) ?? null };
  const databaseUrl = await createFreshDatabase(stack.databaseUrl, name);
  const openPool = (purpose: string, max: number, settings = {}): Pool =>
    createPool(databaseUrl, { max, applicationName: `bench-${purpose}`, isDirect: true, settings });
  const pools = {
    gateway: openPool('gateway', 20),
    orchestrator: openPool('orchestrator', 40),
    assigner: openPool('assigner', 1, assignerSettings),
    bare: openPool('bare', 40),
    gh: openPool('gh', 20),
  };
  await registerWorkers(pools.gh, workers);
  await pools.gh.query('create table bare_job (job_id uuid primary key, body jsonb not null)');

  const connection = await NativeConnection.connect({ address: stack.temporalAddress });
  const setUp = await Connection.connect({ address: stack.temporalAddress });
  await ensureSearchAttributes(setUp, namespace);
  await setUp.close();
  const client = createClient({ address: stack.temporalAddress, namespace, apiKey: null, tls: null });
  const statements = [pools.gateway, pools.orchestrator, pools.assigner].map(countStatements);
  const ours = await startControlPlane({
    databaseUrl,
    gatewayPool: pools.gateway,
    orchestratorPool: pools.orchestrator,
    assignerPool: pools.assigner,
    ghPool: pools.gh,
    client,
    connection,
    taskQueue: `${name}-ours`,
    restMs,
  });
  const bare = await startBareJobs({ pool: pools.bare, client, connection, taskQueue: `${name}-bare`, restMs });
  if (limits.claimMs <= restMs) throw new Error('an instant GH that rests longer than the claim may take is no GH');

  return {
    pool: pools.gh,
    client,
    ours,
    bare,
    statementsSent: () => statements.reduce((sum, sent) => sum + sent(), 0),
    cpuTime: () => readCpuTime(pids),
    async stop() {
      await Promise.all([ours.stop(), bare.stop()]);
      await connection.close();
      await client.connection.close();
      await Promise.all(Object.values(pools).map(async (pool) => await pool.end()));
    },
  };
};
