import { rm } from 'node:fs/promises';
import path from 'node:path';
import { projectRoot } from '../../src/project-root';
import { runKillRound } from '../support/deploy-kill-round';
import { phasesToHit, victims, whyLeftOut } from '../support/deploy-kills';
import { startDeployRun, type DeployRun } from '../support/deploy-run';

/** Each cell of phase × victim once, on one host each; bench/faults/deploy-kills.ts does it on several, as often as it is told. */
describe('what a deploy stands on is killed in each of its phases', () => {
  const dir = path.join(projectRoot(), '.yardmaster', `deploy-kills-${process.env.TEST_RUN_ID ?? 'none'}`);
  let run: DeployRun;

  beforeAll(async () => {
    run = await startDeployRun({ dir, destinations: phasesToHit.map(({ phase }) => phase), hostsOfEach: 1 });
  }, 180_000);

  afterAll(async () => {
    await run.stop();
    await rm(dir, { recursive: true, force: true });
  }, 120_000);

  test.each(victims)(
    'P6 P7 P8: %s: one version runs, the one that the result names; the lock is free, nothing is left, and no line is lost',
    async (victim) => {
      const results = await runKillRound(run, victim, { phases: phasesToHit, turn: 0 });
      expect(results.filter(({ faults }) => faults.length > 0)).toEqual([]);
      expect(results.map(({ phase }) => phase)).toEqual(
        phasesToHit.filter((phase) => whyLeftOut(phase, victim) === null).map(({ phase }) => phase),
      );
    },
    400_000,
  );
});
