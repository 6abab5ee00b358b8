import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import type { StandInStep } from '../../dev/kamal/stand-in/stand-in-testbed';
import { findDeploy } from '../../src/db/deploys/deploy-rows';
import { findDeployFaults } from './deploy-checker';
import { injectors, whyLeftOut, type PhaseToHit, type Victim } from './deploy-kills';
import { endsWithinMs, gatherDeployEvidence } from './deploy-evidence';
import type { DeployRun } from './deploy-run';
import { followLog, type LogFollower } from './event-reader';
import { addLiveAttempt } from './live-attempt';
import { listStrayCommands, type StrayCommand } from './stray-commands';
import { until } from './until';

export interface KillResult {
  phase: string;
  victim: Victim;
  outcome: string | null;
  faults: string[];
  /** From the kill to the end of the deploy. */
  endMs: number;
  /** From the kill until nothing ran that nobody owned. */
  strayMs: number;
}

/** A deploy on its way, held in its phase. */
interface HeldDeploy {
  phase: string;
  deployId: string;
  versionBefore: string;
  follower: LogFollower;
  held: StandInStep | null;
  endJob: (() => Promise<void>) | null;
}

/** Promise 7. */
const strayWithinMs = 10_000;

/** A deploy for each phase, each to its own hosts; when all are where they should be, one kill meets them all. */
export const runKillRound = async (
  run: DeployRun,
  victim: Victim,
  { phases, turn }: { phases: readonly PhaseToHit[]; turn: number },
): Promise<KillResult[]> => {
  const gate = path.join(run.stateDir, `../go-on-${victim.replaceAll(' ', '-')}-${turn}`);
  await rm(gate, { force: true });
  await run.revive();
  // Whose deployer is killed is asked to end by its supervisor; every other turn it does not listen, and has to be killed.
  const heldDeploys = await Promise.all(
    phases
      .filter((phase) => whyLeftOut(phase, victim) === null)
      .map(async (phase) => await bringInto(run, phase, { gate, turn, ignoreSignals: victim === 'deployer' && turn % 2 === 0 })),
  );

  const injectedAt = Date.now();
  const injecting = injectors[victim](run, {
    held: heldDeploys.flatMap(({ held }) => (held === null ? [] : [held])),
    letGo: async () => await writeFile(gate, ''),
  });
  const watching = untilNoStrays(run, injectedAt);
  const { stayAway } = await injecting;
  for (const { endJob } of heldDeploys) await endJob?.();
  const strays = await watching;
  const results = await Promise.all(
    heldDeploys.map(async (heldDeploy): Promise<KillResult> => {
      const evidence = await gatherDeployEvidence(run, heldDeploy, { strays: strays.left, stayAway });
      const endedAt = evidence.deploy?.endedAt;
      return {
        phase: heldDeploy.phase,
        victim,
        outcome: evidence.deploy?.outcome ?? null,
        faults: findDeployFaults(evidence),
        endMs: endedAt == null ? endsWithinMs : Date.parse(endedAt) - injectedAt,
        strayMs: strays.ms,
      };
    }),
  );
  await tidyUp(run, heldDeploys, results);
  return results;
};

const bringInto = async (
  run: DeployRun,
  { phase, on, at }: PhaseToHit,
  { gate, turn, ignoreSignals }: { gate: string; turn: number; ignoreSignals: boolean },
): Promise<HeldDeploy> => {
  const { testbed, pool } = run;
  const destination = phase;
  const hosts = testbed.destinations[destination] ?? [];
  const versionBefore = (await testbed.host(hosts[0] ?? '').runningVersion()) ?? '';
  const version = phase === 'compensate' ? 'bad' : versionBefore === 'v1' ? 'v2' : 'v1';
  const step = at[turn % at.length] ?? 'start';
  const order = on === null ? [] : [{ on, at: step, times: 1, do: { ignoreSignals, untilFile: gate } }];
  const job =
    on === null
      ? await addLiveAttempt(pool, {
          host: hosts[0] ?? '',
          workerId: run.simulator.hosts.find(({ ip }) => ip === hosts[0])?.workerId ?? '',
        })
      : null;
  // Versions are asked for in other phases, too.
  await testbed.misbehaveAt(destination, ...(phase === 'verify' ? [] : order));
  let stepsBefore = (await testbed.steps()).length;
  const deployId = await place(run, { destination, version });
  const follower = followLog(() => `${run.gatewayUrl}/v1/deploys/${deployId}/stream`, { headers: { 'x-api-key': run.key } });
  const isAt = async (): Promise<boolean> => {
    const deploy = await findDeploy(pool, deployId);
    if (deploy?.outcome != null) throw new Error(`it has ended: ${deploy.outcome}, ${deploy.detail}`);
    return deploy?.phase === phase;
  };
  if (phase === 'verify' || on === null) await until(isAt, { what: `${destination} is there`, timeoutMs: 90_000 });
  if (phase === 'verify') {
    await testbed.misbehaveAt(destination, ...order);
    stepsBefore = (await testbed.steps()).length;
  }
  const held =
    on === null
      ? null
      : await until(
          async () =>
            (await testbed.steps())
              .slice(stepsBefore)
              .find((each) => each.destination === destination && each.step === step && isPrefix(on, each.command)),
          { what: `the deploy to ${destination} is at ${on}`, timeoutMs: 90_000 },
        );
  if (on !== null) await until(isAt, { what: `the deploy to ${destination} is in its phase`, timeoutMs: 30_000 });
  return { phase, deployId, versionBefore, follower, held, endJob: job?.end ?? null };
};

const isPrefix = (on: string, command: readonly string[]): boolean => on.split(' ').every((word, index) => command[index] === word);

const placedSchema = z.object({ deployId: z.string() });

/** As a person does it, who tries again when no deployer answers. */
const place = async (run: DeployRun, { destination, version }: { destination: string; version: string }): Promise<string> =>
  await until(
    async () => {
      const response = await fetch(`${run.gatewayUrl}/v1/deploys`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-api-key': run.key },
        body: JSON.stringify({ destination, version, strategy: { canaryHosts: 0, drainSeconds: 300 } }),
        signal: AbortSignal.timeout(30_000),
      });
      if (!response.ok) throw new Error(await response.text());
      return placedSchema.parse(await response.json()).deployId;
    },
    { what: `a deploy to ${destination} is accepted`, timeoutMs: 60_000, everyMs: 500 },
  );

const untilNoStrays = async ({ stateDir }: DeployRun, since: number): Promise<{ left: StrayCommand[]; ms: number }> => {
  // What is killed needs a moment to be gone.
  for (let lastSeenAt = since; ; await delay(100)) {
    const left = listStrayCommands(stateDir);
    if (left.length > 0) lastSeenAt = Date.now();
    if (Date.now() - since > strayWithinMs) return { left, ms: lastSeenAt - since };
  }
};

/** What went wrong in one round is no fault of the next. */
const tidyUp = async (run: DeployRun, heldDeploys: readonly HeldDeploy[], results: readonly KillResult[]): Promise<void> => {
  await run.revive();
  for (const { phase, versionBefore } of heldDeploys) {
    await run.testbed.misbehaveAt(phase);
    if (results.some((result) => result.phase === phase && result.faults.length > 0)) await run.reset(phase, versionBefore);
  }
  await run.pool.query('delete from yardmaster.host_hold');
};
