import path from 'node:path';
import { projectRoot } from '../../src/project-root';
import { startControlPlane, type ControlPlane } from '../support/control-plane';
import { withDatabase } from '../support/database';
import { runKillScenario } from '../support/kill-scenario';
import { createSeededRandom, pickSeed } from '../support/seeded-random';
import { withTemporal } from '../support/temporal';

/** A small cut; bench/faults runs as many rounds as it is told. */
const scenario = {
  jobs: 200,
  overMs: 25_000,
  kills: 16,
  killEveryMs: [800, 2_800] satisfies [number, number],
  workerKills: 0,
  settleMs: 240_000,
};

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
      productBehaviour: () => (random.chance(0.03) ? 'refuse' : random.chance(0.03) ? 'hang_up' : 'answer'),
    });
    stopping.push(plane.stop);
  }, 120_000);

  afterAll(async () => {
    for (const end of stopping) await end();
  }, 120_000);

  test('P1 P2 P3 P5 P8: leave every job with the one end that it had to come to, and no promise broken', async () => {
    const load = { pool: database.pool, client: temporal.client, plane, random };
    const { counts, secondsAt, violations, surprises, failedWorkflows, submitted, evidence } = await runKillScenario(load, scenario);
    process.stderr.write(`kill-orchestrators: ${JSON.stringify({ ...counts, secondsAt })}\n`);

    expect({ violations, surprises, failedWorkflows }).toEqual({ violations: [], surprises: [], failedWorkflows: 0 });
    expect(new Set(submitted.map(({ jobId }) => jobId)).size).toBe(scenario.jobs);
    // The histories were really read, payloads included: each says at its start which job it is about.
    const isRead = ({ jobId }: { jobId: string }): boolean => evidence.texts.some(({ text }) => text.includes(`{"jobId":"${jobId}"}`));
    expect(submitted.filter((job) => !isRead(job))).toEqual([]);
  }, 700_000);
});
