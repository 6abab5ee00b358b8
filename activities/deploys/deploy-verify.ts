import type { DeployView, Disagreement } from '../../src/contracts/deploy';
import { compensationPhase, currentBatch, lastVerifiedBatch, phaseAfter } from '../../src/domain/deploy-plan';
import type { HostVerdict } from '../../src/domain/deploy-verify';
import { wakeInterrupted, wantedVersion } from './deploy-batches';
import type { DeployDeps } from './deploy-deps';
import { holdAgain } from './deploy-drain';
import { inspectHealth, inspectVersions, judgeHosts, type RunningVersions } from './deploy-inspect';
import type { DeployRef, RunStep, StepRun } from './deploy-step';

/** A host that answers late is asked again before it counts as ill. */
const unhealthyProbesMax = 3;

export const createVerifyActivities = (deps: DeployDeps, runStep: RunStep) => ({
  /** Versions, what both ports say, and a worker of after the stop; until all of it is there, or the time is over. */
  async verifyBatch({ deployId }: DeployRef): Promise<DeployView> {
    return await runStep(deployId, ['verify'], async (run) => {
      const hosts = currentBatch(run.deploy.hosts).map(({ host }) => host);
      await holdAgain(deps, run);
      const verdicts = await untilVerified(deps, run, hosts, () => wantedVersion(run.deploy));
      const isVerified = verdicts.every((verdict) => verdict.isVerified);
      const moved = verdicts.map(({ host, version, detail, ...verdict }) => ({
        host,
        state: verdict.isVerified ? ('verified' as const) : ('failed' as const),
        versionNow: version,
        detail,
      }));
      for (const { host, detail } of verdicts) await run.log.say(`${host}: ${detail}`);
      if (!isVerified) {
        const addDisagreements = disagreementsOf(run.deploy, verdicts);
        return await run.move(
          { phase: compensationPhase(run.deploy), direction: 'back', detail: describeVerdicts(verdicts), addDisagreements },
          moved,
        );
      }
      const after = {
        ...run.deploy,
        hosts: run.deploy.hosts.map((host) => (hosts.includes(host.host) ? { ...host, state: 'verified' as const } : host)),
      };
      await run.move({ phase: phaseAfter(after) }, moved);
      await wakeInterrupted(deps, run, hosts);
    });
  },

  /** The canary must stay healthy for its time before the others follow. */
  async soakCanary({ deployId }: DeployRef): Promise<DeployView> {
    return await runStep(deployId, ['soak'], async (run) => {
      const hosts = lastVerifiedBatch(run.deploy.hosts).map(({ host }) => host);
      const until = Date.parse(run.deploy.phaseAt) + run.deploy.strategy.soakSeconds * 1_000;
      let verdicts: HostVerdict[] = [];
      await holdAgain(deps, run);
      for (let ill = 0; ;) {
        const isLast = Date.now() >= until;
        const versions = await inspectVersions(run, hosts);
        verdicts = judgeHosts(await inspectHealth(deps, run, hosts), versions, () => wantedVersion(run.deploy));
        const isHealthy = verdicts.every(({ isVerified }) => isVerified);
        ill = isHealthy ? 0 : ill + 1;
        if (ill >= unhealthyProbesMax) break;
        if (isLast && isHealthy) return await run.move({ phase: phaseAfter(run.deploy) });
        await run.pause(Math.max(deps.limits.deployVerifyEveryMs, Math.min(deps.limits.deploySoakEveryMs, until - Date.now())));
      }
      await run.move(
        {
          phase: compensationPhase(run.deploy),
          direction: 'back',
          detail: `the canary fell ill: ${describeVerdicts(verdicts)}`,
          addDisagreements: disagreementsOf(run.deploy, verdicts),
        },
        verdicts
          .filter(({ isVerified }) => !isVerified)
          .map(({ host, version, detail }) => ({ host, state: 'failed' as const, versionNow: version, detail })),
      );
    });
  },
});

/** Looks at the hosts until they are as wanted, or the time for it is over. Versions take an ssh each, so they are read when all else is well. */
export const untilVerified = async (
  deps: DeployDeps,
  run: StepRun,
  hosts: readonly string[],
  wantedOf: (host: string) => string | null,
  { isRestarted = true }: { isRestarted?: boolean } = {},
): Promise<HostVerdict[]> => {
  const deadline = Date.now() + (await verifyMsOf(deps, run));
  for (;;) {
    const isLast = Date.now() >= deadline;
    const seen = await inspectHealth(deps, run, hosts);
    const assumed: RunningVersions = new Map(
      run.deploy.hosts.map(({ host, roles }) => [host, { versions: assume(roles, wantedOf(host)), problem: '' }]),
    );
    const isHealthy = judgeHosts(seen, assumed, wantedOf, { isRestarted }).every(({ isVerified }) => isVerified);
    if (isHealthy || isLast) {
      const verdicts = judgeHosts(seen, await inspectVersions(run, hosts), wantedOf, { isRestarted });
      if (isLast || verdicts.every(({ isVerified }) => isVerified)) return verdicts;
    }
    await run.pause(deps.limits.deployVerifyEveryMs);
  }
};

/** What GH answers while it starts is waited for at least as long as Kamal's own `deploy_timeout` lets it start. */
const verifyMsOf = async ({ limits }: DeployDeps, run: StepRun): Promise<number> => {
  const { destination } = await run.open();
  return Math.max(limits.deployVerifyMs, (destination.deployTimeoutSeconds ?? 0) * 1_000);
};

const assume = (roles: readonly string[], version: string | null) => (version === null ? [] : roles.map((role) => ({ role, version })));

const disagreementsOf = ({ phase, ...deploy }: DeployView, verdicts: readonly HostVerdict[]): Disagreement[] =>
  verdicts
    .filter(({ isVerified, version }) => !isVerified && version === wantedVersion({ ...deploy, phase }))
    .map(({ host, version, detail }) => ({ phase, host, expected: `${version} runs`, found: detail }));

const describeVerdicts = (verdicts: readonly HostVerdict[]): string =>
  verdicts
    .filter(({ isVerified }) => !isVerified)
    .map(({ host, detail }) => `${host}: ${detail}`)
    .join('; ');
