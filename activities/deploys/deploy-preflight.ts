import type { DeployCheck, DeployView } from '../../src/contracts/deploy';
import { listJobsOnHosts } from '../../src/db/deploys/deploy-fleet';
import { changeDeploy, replaceHosts } from '../../src/db/deploys/deploys';
import { withTransaction } from '../../src/db/pool';
import { phaseAfter, planBatches } from '../../src/domain/deploy-plan';
import { secretLengthMin } from '../../src/domain/secret-forms';
import type { KamalSession } from '../../src/kamal/kamal';
import type { DeployDeps } from './deploy-deps';
import { checkFleet, checkHosts, checkImages, checkLock, checkRegistry, checkVersionBefore } from './deploy-checks';
import { OvertakenError } from './deploy-log';
import { inspectVersions } from './deploy-inspect';
import type { DeployRef, RunStep, StepRun } from './deploy-step';
import { resolveVersion } from './resolve-version';

type Plan = Pick<DeployView, 'hosts'>['hosts'];

export const createPreflightActivities = (deps: DeployDeps, runStep: RunStep) => ({
  /** Looks at everything that a deploy needs, and touches nothing that runs. Each further check is made only where those before it leave it a sense. */
  async preflightDeploy({ deployId }: DeployRef): Promise<DeployView> {
    return await runStep(deployId, ['accepted', 'preflight'], async (run) => {
      const opened = await run.tryOpen();
      if (opened.kind === 'refused') {
        const checks = opened.problems.map(({ check, detail }) => ({ check, host: null, isOk: false, detail }));
        return await savePlan(deps, run, { checks, hosts: [], resolvedVersion: null });
      }
      await savePlan(deps, run, await inspect(deps, run, opened.session));
    });
  },
});

/** The log of the deploy itself says what it may show: its readers do not read the deployer's. */
const describeSecrets = ({ destination: { secretNames }, shownSecrets }: KamalSession): string => {
  if (secretNames.length === 0) return 'none is asked for';
  const shown =
    shownSecrets.length === 0
      ? ''
      : `; too short to be hidden in this log: ${shownSecrets.join(', ')} (less than ${secretLengthMin} characters)`;
  return `${secretNames.join(', ')} are there${shown}`;
};

interface Found {
  checks: DeployCheck[];
  hosts: Plan;
  resolvedVersion: string | null;
}

const inspect = async (deps: DeployDeps, run: StepRun, session: KamalSession): Promise<Found> => {
  const { destination } = session;
  const ok = (check: string, detail: string): DeployCheck => ({ check, host: null, isOk: true, detail });
  const checks: DeployCheck[] = [
    ok('config', `${destination.hosts.length} hosts: ${destination.hosts.map(({ host }) => host).join(', ')}`),
    ok('secrets', describeSecrets(session)),
  ];
  const planned = planBatches(destination.hosts, run.deploy.strategy).map((host) => ({
    ...host,
    state: 'waiting' as const,
    versionBefore: null,
    versionNow: null,
    detail: '',
  }));
  const names = planned.map(({ host }) => host);
  if (destination.rolesFromFleet.length > 0) checks.push(await checkFleet(deps, run));

  const resolved = await resolveVersion(session, run.deploy.resolvedVersion ?? run.deploy.version, run.signal);
  checks.push({ check: 'version', host: null, isOk: resolved.version !== null, detail: resolved.detail });
  checks.push(...(await checkHosts(deps, run, names)));
  const mayGoOn = checks.every(({ isOk }) => isOk);
  if (resolved.version === null || !mayGoOn) return { checks, hosts: planned, resolvedVersion: resolved.version };

  checks.push(await checkLock(deps, run));
  const before = await inspectVersions(run, names);
  const hosts = planned.map((host) => ({ ...host, versionBefore: before.get(host.host)?.versions?.[0]?.version ?? null }));
  checks.push(...checkVersionBefore(hosts, before), ...(await checkRegistry(deps, hosts)));
  // A pull removes the tag first, under the feet of whoever holds the lock or runs the version (kamal §1).
  if (checks.every(({ isOk }) => isOk)) checks.push(...(await checkImages(run, hosts, resolved.version)));
  return { checks, hosts, resolvedVersion: resolved.version };
};

const savePlan = async (deps: DeployDeps, run: StepRun, { checks, hosts, resolvedVersion }: Found): Promise<void> => {
  for (const { check, host, isOk, detail } of checks)
    await run.log.say(`${isOk ? '✓' : '✗'} ${check}${host === null ? '' : ` on ${host}`}: ${detail}`);
  const jobs = await listJobsOnHosts(
    deps.pool,
    hosts.map(({ host }) => host),
  );
  for (const { jobId, host, state } of jobs) await run.log.say(`job ${jobId} is on ${host}: ${state}`);
  const isOk = checks.every((check) => check.isOk);
  const phase = isOk ? phaseAfter({ ...run.deploy, phase: 'preflight', hosts }) : 'release';
  const { deployId } = run.deploy;
  await withTransaction(deps.pool, async (client) => {
    const change = {
      phase,
      direction: isOk ? ('forward' as const) : ('back' as const),
      checks,
      jobs: jobs.map(({ jobId, host, state }) => ({ jobId, host, state })),
      ...(resolvedVersion === null ? {} : { resolvedVersion }),
    };
    if (!(await changeDeploy(client, { deployId, runner: run.runner }, change)))
      throw new OvertakenError(`another run has deploy ${deployId}`);
    await replaceHosts(client, deployId, hosts);
  });
  await run.log.say(`→ ${phase}`);
};
