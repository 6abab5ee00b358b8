import path from 'node:path';
import { projectRoot } from '../../src/dev/project-root';
import { findViolations } from '../support/checker';
import { startControlPlane, type ControlPlane } from '../support/control-plane';
import { withDatabase } from '../support/database';
import { gatherEvidence } from '../support/evidence';
import { mixJobs } from '../support/job-mix';
import {
  type Load,
  countFailedWorkflows,
  killAtRandom,
  resolveUncertain,
  submitJobs,
  untilAllIsQuiet,
  untilAllRest,
} from '../support/kill-run';
import { createSeededRandom, pickSeed } from '../support/seeded-random';
import { withTemporal } from '../support/temporal';

/** A small cut; bench/faults runs as many rounds as it is told. */
const [jobCount, killCount] = [200, 16];

describe('orchestrators that are killed and started at random while 200 jobs run', () => {
  const database = withDatabase();
  const temporal = withTemporal();
  const random = createSeededRandom(pickSeed());
  const stopping: (() => Promise<void>)[] = [];
  let plane: ControlPlane;

  beforeAll(async () => {
    plane = await startControlPlane({
      databaseUrl: database.databaseUrl,
      temporal,
      dir: path.join(projectRoot(), '.yardmaster/logs', temporal.namespace),
      hosts: 10,
      orchestrators: 3,
      productMood: () => (random.chance(0.03) ? 'refuse' : random.chance(0.03) ? 'hang_up' : 'answer'),
    });
    stopping.push(plane.stop);
  }, 120_000);

  afterAll(async () => {
    for (const end of stopping) await end();
  }, 60_000);

  test('P1 P2 P3 P5 P8: leave every job with the one end that it had to come to, and no promise broken', async () => {
    const startedAt = Date.now();
    const phases: Record<string, number> = {};
    const note = (phase: string): void => void (phases[phase] = Math.round((Date.now() - startedAt) / 1_000));
    const load: Load = { pool: database.pool, client: temporal.client, plane, random };
    const [submitted, kills] = await Promise.all([
      submitJobs(load, mixJobs(jobCount, random), { overMs: 25_000 }),
      killAtRandom(load.plane.orchestrators, random, { kills: killCount, everyMs: [800, 2_800] }),
    ]);
    note('killed');
    await untilAllRest(load, { timeoutMs: 240_000 });
    note('rest');
    const { rows: rest } = await database.pool.query<{ job_id: string; state: string }>('select job_id, state from yardmaster.job');
    const restOf = new Map(rest.map((row) => [row.job_id, row.state]));
    const { resolved, retried } = await resolveUncertain(load, { timeoutMs: 240_000 });
    note('ended');
    await untilAllIsQuiet(load, { timeoutMs: 240_000 });
    note('quiet');

    const acceptedJobIds = submitted.map(({ jobId }) => jobId);
    const evidence = await gatherEvidence({ ...load, acceptedJobIds });
    const violations = findViolations(evidence);
    note('judged');
    const surprises = submitted
      .filter(({ jobId, kind }) => restOf.get(jobId) !== kind.end)
      .map(({ jobId, kind }) => ({ jobId, ...kind, came: restOf.get(jobId) }));
    const failedWorkflows = await countFailedWorkflows(temporal.client);
    process.stderr.write(
      `kill-orchestrators: ${JSON.stringify({ seed: random.seed, jobs: submitted.length, kills, resolved, retried, violations: violations.length, secondsAt: phases })}\n`,
    );
    expect({ violations, surprises, failedWorkflows }).toEqual({ violations: [], surprises: [], failedWorkflows: 0 });
    expect(new Set(acceptedJobIds).size).toBe(jobCount);
    // The histories were really read, payloads included: each says at its start which job it is about.
    expect(acceptedJobIds.filter((jobId) => !evidence.texts.some(({ text }) => text.includes(`{"jobId":"${jobId}"}`)))).toEqual([]);
  }, 700_000);
});
