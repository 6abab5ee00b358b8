import { rm } from 'node:fs/promises';
import path from 'node:path';
import { projectRoot } from '../../src/project-root';
import { startDeployRun, type DeployRun } from '../support/deploy-run';
import { runSessionKills } from '../support/session-kills';

describe('a minute of sessions in Postgres that are ended in the middle of transactions, of every process', () => {
  const dir = path.join(projectRoot(), '.yardmaster', `killed-sessions-${process.env.TEST_RUN_ID ?? 'none'}`);
  let run: DeployRun;

  beforeAll(async () => {
    run = await startDeployRun({ dir, destinations: ['staging'], hostsOfEach: 4, orchestrators: 2 });
  }, 180_000);

  afterAll(async () => {
    await run.stop();
    await rm(dir, { recursive: true, force: true });
  }, 120_000);

  test('ends no process: what was accepted is done, and every deploy comes to its end', async () => {
    const kills = await runSessionKills(run, { forMs: 60_000 });
    process.stderr.write(`killed-sessions: ${JSON.stringify(kills)}\n`);
    expect(kills).toMatchObject({ died: [], oddAnswers: [], unended: [] });
    expect(kills.deploys.length).toBeGreaterThan(0);
    expect(kills.deploys.filter((outcome) => outcome === null)).toEqual([]);
    expect(Object.keys(kills.inTransaction)).toEqual(
      expect.arrayContaining([
        'yardmaster-deployer',
        'yardmaster-gateway',
        'yardmaster-orchestrator',
        'yardmaster-orchestrator-assigner',
        'yardmaster-orchestrator-sweep',
      ]),
    );
    expect(kills.accepted).toBeGreaterThan(0);
  }, 600_000);
});
