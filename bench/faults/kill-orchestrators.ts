import { rm } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { createPool } from '../../src/db/pool';
import { projectRoot } from '../../src/project-root';
import { createClient } from '../../src/temporal/connection';
import { startControlPlane } from '../../test/support/control-plane';
import { runKillScenario, type KillOutcome } from '../../test/support/kill-scenario';
import { startOwnStack } from '../../test/support/own-stack';
import { createSeededRandom } from '../../test/support/seeded-random';

/**
 * The kill test of test/integration for as long as it is told, workers of GH killed as well, each round on fresh servers:
 * `node .yardmaster/build/bench/faults/kill-orchestrators.js --rounds 5 [--jobs 200] [--kills 25] [--worker-kills 10] [--seed 1]`.
 * A round's seed is the first one plus its number. Ends with 1 when a promise was broken.
 */
const main = async (): Promise<void> => {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '3' },
      jobs: { type: 'string', default: '200' },
      kills: { type: 'string', default: '25' },
      'worker-kills': { type: 'string', default: '10' },
      seed: { type: 'string', default: String(Math.floor(Math.random() * 1_000_000)) },
    },
  });
  const totals = { rounds: 0, jobs: 0, kills: 0, workerKills: 0, violations: 0, surprises: 0, failedWorkflows: 0 };
  for (let round = 0; round < Number(values.rounds); round++) {
    const outcome = await runRound(Number(values.seed) + round, {
      jobs: Number(values.jobs),
      kills: Number(values.kills),
      workerKills: Number(values['worker-kills']),
    });
    console.log(JSON.stringify({ round: round + 1, ...outcome.counts, surprises: outcome.surprises.length, secondsAt: outcome.secondsAt }));
    for (const fault of [...outcome.violations, ...outcome.surprises]) console.log(`  ${JSON.stringify(fault)}`);
    totals.rounds++;
    totals.jobs += outcome.submitted.length;
    totals.kills += outcome.counts.kills ?? 0;
    totals.workerKills += outcome.counts.workerKills ?? 0;
    totals.violations += outcome.violations.length;
    totals.surprises += outcome.surprises.length;
    totals.failedWorkflows += outcome.failedWorkflows;
  }
  console.log(JSON.stringify(totals));
  process.exitCode = totals.violations + totals.surprises + totals.failedWorkflows === 0 ? 0 : 1;
};

const runRound = async (seed: number, size: { jobs: number; kills: number; workerKills: number }): Promise<KillOutcome> => {
  const random = createSeededRandom(seed);
  const dir = path.join(projectRoot(), '.yardmaster/faults');
  const stack = await startOwnStack(dir);
  const stopping: (() => Promise<unknown>)[] = [stack.stop];
  try {
    const temporal = { address: stack.temporalAddress, namespace: 'default' };
    const pool = createPool(stack.databaseUrl, { max: 10, applicationName: 'yardmaster-faults' });
    stopping.push(async () => await pool.end());
    const client = createClient({ ...temporal, apiKey: null, tls: null });
    stopping.push(async () => await client.connection.close());
    const plane = await startControlPlane({
      databaseUrl: stack.databaseUrl,
      temporal,
      dir: path.join(dir, 'logs'),
      hosts: 10,
      orchestrators: 3,
      productBehaviour: () => (random.chance(0.03) ? 'refuse' : random.chance(0.03) ? 'hang_up' : 'answer'),
    });
    stopping.push(plane.stop);
    return await runKillScenario(
      { pool, client, plane, random },
      { ...size, overMs: size.kills * 2_500, killEveryMs: [500, 4_000], settleMs: 600_000 },
    );
  } finally {
    for (const end of stopping.toReversed()) await end();
    await rm(dir, { recursive: true, force: true });
  }
};

void main();
