import { rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Pool } from 'pg';
import { createPool } from '../../src/db/pool';
import { projectRoot } from '../../src/project-root';
import { createClient } from '../../src/temporal';
import { runRandomCancels } from '../support/cancel-run';
import { findBrokenPromises, gatherCommandEvidence } from '../support/command-checker';
import { commandModelFixture, runCommandModel } from '../support/command-model';
import { startControlPlane, type ControlPlane } from '../support/control-plane';
import { followLog } from '../support/event-reader';
import { runKillScenario } from '../support/kill-scenario';
import { addDeploy, appendLines, endDeploy, storedLog } from '../support/log-rows';
import { startOwnStack, type OwnStack } from '../support/own-stack';
import { createSeededRandom, pickSeed } from '../support/seeded-random';
import { until } from '../support/until';
import { withFleetFixture } from '../support/fleet-fixture';

// The smallest run of what `npm run test:faults` plays at length (test/faults).

describe('commands at random', () => {
  const fixture = withFleetFixture(commandModelFixture);

  test('P2 P3 P4: 6 cancels at random moments tell the truth and hit nobody else', async () => {
    const random = createSeededRandom(pickSeed());
    process.stderr.write(`TEST_SEED=${random.seed}\n`);
    const { open } = await runRandomCancels(fixture, { count: 6, random, atOnce: 6, isUnstoppable: () => false });
    expect(open).toEqual([]);
    expect(findBrokenPromises(await gatherCommandEvidence(fixture.pool, fixture.simulator))).toEqual([]);
  });

  test('P2 P3 P4: a random sequence of commands, deaths and progress keeps the promises', async () => {
    const seed = pickSeed();
    process.stderr.write(`TEST_SEED=${seed}\n`);
    expect(await runCommandModel(fixture, { seed, numRuns: 1 })).toBeNull();
  });
});

describe('our processes and what they stand on', () => {
  const dir = path.join(projectRoot(), '.yardmaster', `fault-cuts-${process.env.TEST_RUN_ID ?? 'none'}`);
  const random = createSeededRandom(pickSeed());
  const stopping: (() => Promise<unknown>)[] = [];
  let stack: OwnStack;
  let pool: Pool;
  let plane: ControlPlane;

  beforeAll(async () => {
    stack = await startOwnStack(dir);
    stopping.push(stack.stop);
    pool = createPool(stack.databaseUrl, { max: 4, applicationName: 'yardmaster-test' });
    stopping.push(async () => await pool.end());
    const temporal = { address: stack.temporalAddress, namespace: 'default' };
    plane = await startControlPlane({ databaseUrl: stack.databaseUrl, temporal, dir: path.join(dir, 'logs'), hosts: 4, orchestrators: 2 });
    stopping.push(plane.stop);
  }, 180_000);

  afterAll(async () => {
    for (const end of stopping.splice(0).toReversed()) await end();
    await rm(dir, { recursive: true, force: true });
  }, 120_000);

  test('P1 P2 P3 P5 P8: orchestrators and Temporal are killed under 12 jobs, and every job comes to its one end', async () => {
    process.stderr.write(`TEST_SEED=${random.seed}\n`);
    const client = createClient({ address: stack.temporalAddress, namespace: 'default', apiKey: null, tls: null });
    stopping.push(async () => await client.connection.close());
    const scenario = {
      jobs: 12,
      overMs: 4_000,
      kills: 2,
      killEveryMs: [500, 1_500] as [number, number],
      workerKills: 0,
      settleMs: 100_000,
    };
    const outage = async (): Promise<void> => {
      await delay(random.between(0, 3_000));
      await stack.killTemporal();
      await stack.restartTemporal();
    };
    const [{ violations, surprises, failedWorkflows, submitted }] = await Promise.all([
      runKillScenario({ pool, client, plane, random }, scenario),
      outage(),
    ]);
    expect({ violations, surprises, failedWorkflows }).toEqual({ violations: [], surprises: [], failedWorkflows: 0 });
    expect(new Set(submitted.map(({ jobId }) => jobId)).size).toBe(scenario.jobs);
  }, 300_000);

  test('P6: readers get the stored log, each line once and in order, when the gateway and Postgres are killed', async () => {
    const deployId = await addDeploy(pool);
    const url = `${plane.gatewayUrl}/v1/deploys/${deployId}/stream`;
    const followers = Array.from({ length: 3 }, () => followLog(() => url, { headers: { 'x-api-key': plane.operatorKey } }));
    /** As the deployer does: what Postgres has not taken is written again. */
    const write = async (count: number): Promise<void> => {
      for (let line = 0; line < count; line++) {
        await until(async () => (await appendLines(pool, deployId, [`line ${line}`, 'größer – 部署 ✓'])) > 0, {
          what: 'a line is written',
        });
      }
    };
    await write(20);
    await Promise.all([write(40), plane.gateway.kill().then(async () => await plane.gateway.start())]);
    await stack.killPostgres();
    await Promise.all([write(20), stack.restartPostgres()]);
    await until(async () => endDeploy(pool, deployId).then(() => true), { what: 'the deploy has ended' });
    await Promise.all(followers.map(async ({ done }) => await done));
    const stored = await storedLog(pool, deployId);
    for (const { lines, gaps } of followers) {
      expect(gaps).toEqual([]);
      expect(lines.map(({ seq, line }) => ({ seq, line }))).toEqual(stored);
    }
    expect(stored.length).toBeGreaterThanOrEqual(160);
  }, 180_000);
});
