import { rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Pool } from 'pg';
import { createPool } from '../../src/db/pool';
import { claimPort } from '../../dev/tools/ports';
import { projectRoot } from '../../src/project-root';
import { followLog, type LogFollower } from '../support/event-reader';
import { addDeploy, appendLines, endDeploy, storedLog } from '../support/log-rows';
import { createGatewayProcess, type OwnProcess } from '../support/orchestrator-process';
import { startOwnStack, type OwnStack } from '../support/own-stack';
import { createSeededRandom, pickSeed } from '../support/seeded-random';
import { until } from '../support/until';

const key = 'a-key-for-this-test-alone';
const writeForMs = 20_000;

describe('readers of a log', () => {
  const runId = process.env.TEST_RUN_ID ?? 'none';
  const dir = path.join(projectRoot(), '.yardmaster', `log-replay-${runId}`);
  const random = createSeededRandom(pickSeed());
  let stack: OwnStack;
  let pool: Pool;
  const gateways: { url: string; process: OwnProcess }[] = [];

  beforeAll(async () => {
    stack = await startOwnStack(dir);
    pool = createPool(stack.databaseUrl, { max: 4, applicationName: 'yardmaster-test' });
    for (const name of ['gateway-1', 'gateway-2']) {
      const port = await claimPort({ port: 0, purpose: 'a gateway', changeWith: 'nothing' });
      const url = `http://127.0.0.1:${port}`;
      const env = {
        PATH: process.env.PATH ?? '',
        DATABASE_URL: stack.databaseUrl,
        DATABASE_DIRECT_URL: stack.databaseUrl,
        TEMPORAL_ADDRESS: stack.temporalAddress,
        GATEWAY_PORT: String(port),
        YARDMASTER_KEYS: `board:read_only:${key}`,
      };
      const own = createGatewayProcess({ name, dir: path.join(dir, 'logs'), env, readyUrl: `${url}/livez` });
      await own.start();
      gateways.push({ url, process: own });
    }
  }, 180_000);

  afterAll(async () => {
    await Promise.all(gateways.map(async ({ process: each }) => await each.stop()));
    await pool.end();
    await stack.stop();
    await rm(dir, { recursive: true, force: true });
  }, 120_000);

  /** Writes as the deployer does: what Postgres has not taken is written again. */
  const write = async (deployId: string): Promise<void> => {
    const endsAt = Date.now() + writeForMs;
    for (let batch = 0; Date.now() < endsAt; batch++) {
      const lines = Array.from(
        { length: random.between(1, 25) },
        (_, n) => `batch ${batch} line ${n} ${'ü'.repeat(random.between(0, 60))}`,
      );
      await appendLines(pool, deployId, lines).catch(async () => await delay(200));
      await delay(random.between(10, 120));
    }
    await until(
      async () => {
        await endDeploy(pool, deployId);
        return true;
      },
      { what: 'the deploy has ended', timeoutMs: 60_000, everyMs: 200 },
    );
  };

  const disturb = async (followers: readonly LogFollower[]): Promise<void> => {
    const endsAt = Date.now() + writeForMs;
    let turn = 0;
    while (Date.now() < endsAt) {
      await delay(random.between(300, 1_500));
      random.pick(followers).cut();
      if (turn++ % 3 !== 0) continue;
      const { process: victim } = random.pick(gateways);
      if (random.chance(0.7)) await victim.kill();
      else await victim.stop();
      await victim.start();
    }
  };

  test('P6: get the stored log, each line once and in order, through cuts, killed gateways and a restart of Postgres', async () => {
    const deployId = await addDeploy(pool);
    let turn = 0;
    const next = (): string => `${gateways[turn++ % gateways.length]?.url}/v1/deploys/${deployId}/stream`;
    const followers = Array.from({ length: 8 }, () => followLog(next, { headers: { 'x-api-key': key } }));
    const restart = async (): Promise<void> => {
      await delay(writeForMs / 2);
      await stack.killPostgres();
      await delay(1_000);
      await stack.restartPostgres();
    };
    await Promise.all([write(deployId), disturb(followers), restart()]);
    await Promise.all(followers.map(async ({ done }) => await done));

    const stored = await storedLog(pool, deployId);
    expect(stored.length).toBeGreaterThan(500);
    for (const { lines, gaps, end } of followers) {
      expect(gaps).toEqual([]);
      expect(lines.map(({ seq, line }) => ({ seq, line }))).toEqual(stored);
      expect(end).toMatchObject({ outcome: 'succeeded', lastSeq: stored.length });
    }
    expect(followers.reduce((sum, { connections }) => sum + connections, 0)).toBeGreaterThan(20);
  }, 300_000);

  test('are told 503 while Postgres is away, and a stream that is under way goes on afterwards', async () => {
    const deployId = await addDeploy(pool);
    await appendLines(pool, deployId, ['one']);
    const url = `${gateways[0]?.url}/v1/deploys/${deployId}/stream`;
    const follower = followLog(() => url, { headers: { 'x-api-key': key } });
    await until(() => follower.connections === 1, { what: 'it is connected' });
    await stack.killPostgres();
    const refused = await until(
      async () => {
        const answer = await fetch(url, { headers: { 'x-api-key': key } });
        await answer.body?.cancel();
        return answer.status === 503 ? answer : null;
      },
      { what: 'a new reader is told', timeoutMs: 30_000 },
    );
    expect(refused.headers.get('retry-after')).toBe('2');
    await stack.restartPostgres();
    await until(async () => (await appendLines(pool, deployId, ['two'])) > 0, { what: 'Postgres takes lines again', timeoutMs: 60_000 });
    await endDeploy(pool, deployId);
    await follower.done;
    expect(follower.lines.map(({ line }) => line)).toEqual(['one', 'two']);
    expect(follower.connections).toBe(1);
  }, 180_000);
});
