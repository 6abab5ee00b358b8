import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { rm } from 'node:fs/promises';
import type { Client } from '@temporalio/client';
import type { Pool } from 'pg';
import { createPool } from '../../src/db/pool';
import { projectRoot } from '../../src/project-root';
import { createClient } from '../../src/temporal/connection';
import { findViolations, type Violation } from '../support/checker';
import { startControlPlane, type ControlPlane } from '../support/control-plane';
import { gatherEvidence } from '../support/evidence';
import { mixJobs } from '../support/job-mix';
import { findSurprises } from '../support/kill-scenario';
import {
  countFailedWorkflows,
  resolveUncertain,
  submitJobs,
  untilAllIsQuiet,
  untilAllRest,
  type Load,
  type SubmittedJob,
} from '../support/kill-run';
import { startOwnStack, type OwnStack } from '../support/own-stack';
import { createSeededRandom, pickSeed } from '../support/seeded-random';
import { until } from '../support/until';

const outageMs = 20_000;
/** The gateway waits 800 ms for Temporal; the rest is for a machine with two busy cores. */
const acceptWithinMs = 5_000;

describe('outages during load', () => {
  const random = createSeededRandom(pickSeed());
  const dir = path.join(projectRoot(), '.yardmaster', `outages-${process.env.TEST_RUN_ID ?? 'none'}`);
  const stopping: (() => Promise<unknown>)[] = [];
  let stack: OwnStack;
  let load: Load;
  const submitted: SubmittedJob[] = [];

  beforeAll(async () => {
    stack = await startOwnStack(dir);
    stopping.push(stack.stop);
    const pool: Pool = createPool(stack.databaseUrl, { max: 5, applicationName: 'yardmaster-test' });
    stopping.push(async () => await pool.end());
    const client: Client = createClient({ address: stack.temporalAddress, namespace: 'default', apiKey: null, tls: null });
    stopping.push(async () => await client.connection.close());
    const plane: ControlPlane = await startControlPlane({
      databaseUrl: stack.databaseUrl,
      temporal: { address: stack.temporalAddress, namespace: 'default' },
      dir: path.join(projectRoot(), '.yardmaster/logs', `outages-${process.env.TEST_RUN_ID ?? 'none'}`),
      hosts: 6,
      orchestrators: 2,
    });
    stopping.push(plane.stop);
    load = { pool, client, plane, random };
  }, 180_000);

  afterAll(async () => {
    for (const end of stopping.splice(0).toReversed()) await end();
    await rm(dir, { recursive: true, force: true });
  }, 120_000);

  test('Temporal killed for 20 s: jobs are accepted with 202, nothing is lost, and all that was accepted runs', async () => {
    const before = await submitJobs(load, mixJobs(30, random), { overMs: 5_000 });
    await stack.killTemporal();
    const outage = delay(outageMs);
    const during = await submitJobs(load, mixJobs(20, random), { overMs: 10_000 });
    await outage;
    await stack.restartTemporal();
    await until(async () => (await (await fetch(`${load.plane.gatewayUrl}/readyz`)).text()).includes('"temporal":"ok"'), {
      what: 'the gateway reaches Temporal again',
      timeoutMs: 30_000,
    });
    const after = await submitJobs(load, mixJobs(10, random), { overMs: 2_000 });
    submitted.push(...before, ...during, ...after);

    const outcome = await finish();
    expect(new Set(during.map(({ status }) => status))).toEqual(new Set([202]));
    expect(Math.max(...during.map(({ sentMs }) => sentMs))).toBeLessThan(acceptWithinMs);
    // A busy machine may answer 202 at any time: its Temporal took longer than the deadline, and the row is the promise all the same.
    expect(after.map(({ status }) => status)).toContain(201);
    expect(outcome).toEqual({ violations: [], surprises: [], failedWorkflows: 0 });
  }, 400_000);

  test('Postgres killed: every worker of GH dies with its connections and comes back, and no job is lost', async () => {
    const restartsBefore = restarts();
    const before = await submitJobs(load, mixJobs(30, random), { overMs: 4_000 });
    submitted.push(...before);
    await stack.killPostgres();
    const unanswered = await load.plane.submit('https://sim.test/quick');
    await stack.restartPostgres();
    await until(() => load.plane.simulator.hosts.every(({ isReady }) => isReady), {
      what: 'every worker of GH is back',
      timeoutMs: 60_000,
    });
    await until(async () => (await fetch(`${load.plane.gatewayUrl}/readyz`)).ok, { what: 'the gateway is ready again', timeoutMs: 30_000 });
    submitted.push(...(await submitJobs(load, mixJobs(10, random), { overMs: 2_000 })));

    // Where Postgres went away under an attempt, the row no longer proves that no form was open: a person is asked.
    const outcome = await finish(new Set(before.map(({ jobId }) => jobId)));
    expect(unanswered).toMatchObject({ status: 503, jobId: '' });
    expect(restarts().map((count, index) => count > (restartsBefore[index] ?? 0))).toEqual(load.plane.simulator.hosts.map(() => true));
    expect(outcome).toEqual({ violations: [], surprises: [], failedWorkflows: 0 });
  }, 400_000);

  const restarts = (): number[] => load.plane.simulator.hosts.map((host) => host.describe().restarts);

  /** Lets everything end, and judges everything since the beginning. */
  const finish = async (
    mayHaveLostWrites: ReadonlySet<string> = new Set(),
  ): Promise<{ violations: Violation[]; surprises: object[]; failedWorkflows: number }> => {
    await untilAllRest(load, { timeoutMs: 150_000 });
    await resolveUncertain(load, { timeoutMs: 120_000 });
    await untilAllIsQuiet(load, { timeoutMs: 120_000 });
    const evidence = await gatherEvidence({ ...load, acceptedJobIds: submitted.map(({ jobId }) => jobId) });
    const surprises = findSurprises(evidence, submitted, { mayHaveLostWrites });
    const outcome = { violations: findViolations(evidence), surprises, failedWorkflows: await countFailedWorkflows(load.client) };
    process.stderr.write(
      `outages: ${JSON.stringify({ seed: random.seed, jobs: submitted.length, surprises: surprises.length, violations: outcome.violations.length })}\n`,
    );
    return outcome;
  };
});
