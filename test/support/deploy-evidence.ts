import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { findDeploy } from '../../src/db/deploys/deploy-rows';
import type { DeployEvidence } from './deploy-checker';
import type { DeployRun } from './deploy-run';
import type { LogFollower } from './event-reader';
import type { StrayCommand } from './stray-commands';
import { until } from './until';

export const endsWithinMs = 150_000;

/** Waits for the deploy's end, and for its reader's; then asks those who know. */
export const gatherDeployEvidence = async (
  run: DeployRun,
  {
    phase: destination,
    deployId,
    versionBefore,
    follower,
  }: { phase: string; deployId: string; versionBefore: string; follower: LogFollower },
  { strays, stayAway }: { strays: StrayCommand[]; stayAway: DeployRun['gateway'] | undefined },
): Promise<DeployEvidence> => {
  const { pool, testbed } = run;
  const hosts = testbed.destinations[destination] ?? [];
  await until(
    async () => {
      await run.revive(stayAway);
      return (await findDeploy(pool, deployId))?.outcome;
    },
    { what: 'it has ended', timeoutMs: endsWithinMs, everyMs: 200 },
  ).catch(() => undefined);
  await Promise.race([follower.done, delay(20_000, undefined, { ref: false })]);
  follower.stop();
  const stored = await pool.query<{ seq: number; line: string }>(
    `select seq::int, line from yardmaster.deploy_log where deploy_id = $1 order by seq`,
    [deployId],
  );
  const holds = await pool.query<{ host: string }>(`select host from yardmaster.host_hold where host = any($1)`, [hosts]);
  return {
    deploy: await findDeploy(pool, deployId),
    versionBefore,
    versions: await Promise.all(
      hosts.map(
        async (ip) =>
          await testbed
            .host(ip)
            .runningVersion()
            .catch(() => 'mixed'),
      ),
    ),
    lock: await testbed.host(hosts[0] ?? '').lockHolder(destination),
    holds: holds.rows.map(({ host }) => host),
    strays,
    leftDirectories: await listLeftDirectories(path.join(run.stateDir, deployId)),
    stored: stored.rows,
    read: { lines: follower.lines, gaps: follower.gaps, outcome: follower.end?.outcome ?? null },
  };
};

/** The last step removes its own just after the deploy has ended. */
const listLeftDirectories = async (dir: string): Promise<string[]> => {
  const list = async (): Promise<string[]> => await readdir(dir).catch(() => []);
  await until(async () => (await list()).length === 0, { what: 'they are removed', timeoutMs: 10_000, everyMs: 100 }).catch(
    () => undefined,
  );
  return await list();
};
