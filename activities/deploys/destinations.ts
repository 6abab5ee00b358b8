import { randomUUID } from 'node:crypto';
import { ApplicationFailure } from '@temporalio/common';
import { versionPattern, type DestinationView } from '../../src/contracts/deploy';
import { failureTypes } from '../../src/contracts/errors';
import type {
  BreakDeployLockInput,
  BreakDeployLockResult,
  LookAtDestinationInput,
  LookAtDestinationResult,
} from '../../src/contracts/messages';
import { recordAct } from '../../src/db/audit';
import { isDeployLive, markLockFree, saveDestinations } from '../../src/db/deploys/destinations';
import { isSuccess } from '../../src/domain/child-end';
import { parseLockMessage } from '../../src/domain/deploy-lock';
import { appVersion, audit, config, lockRelease, lockStatus, version as kamalVersion, type KamalCommand } from '../../src/kamal/commands';
import type { KamalSession, OpenedKamal } from '../../src/kamal/kamal';
import { parseAudit, parseLockStatus } from '../../src/kamal/output';
import type { KamalEnd } from '../../src/kamal/run';
import type { DeployDeps } from './deploy-deps';
import { describeEnd, findSilent, readVersions } from './deploy-inspect';
import { describeHolder } from './deploy-lock';
import { findFleetHosts } from './fleet-hosts';
import { resolveVersion } from './resolve-version';

/** Inspections of destinations, which touch nothing, and the one act on a destination that is no deploy. */
export const createDestinationActivities = (deps: DeployDeps) => {
  const withKamal = async <Result>(
    destination: string,
    use: (opened: OpenedKamal, signal: AbortSignal) => Promise<Result>,
    { skipsHooks = false }: { skipsHooks?: boolean } = {},
  ): Promise<Result> => {
    const signal = deps.cancellation();
    const beat = setInterval(() => deps.heartbeat({ destination }), deps.limits.deployBeatMs);
    try {
      const { hosts } = await findFleetHosts(deps, destination);
      const opened = await deps.kamal.open({ deployId: randomUUID(), destination, fleetHostsOf: () => hosts, skipsHooks });
      try {
        return await use(opened, signal);
      } finally {
        if (opened.kind === 'opened') await opened.session.close();
      }
    } finally {
      // Also where nothing was opened: it would beat for as long as the process lives.
      clearInterval(beat);
    }
  };

  /** Nothing is done to the destination, and often nobody has asked: their hooks would run every few minutes, with secrets in their environment. */
  const inspectWithKamal: typeof withKamal = async (destination, use) => await withKamal(destination, use, { skipsHooks: true });

  return {
    async readDestination({ destination, want, version }: LookAtDestinationInput): Promise<LookAtDestinationResult> {
      const destinations = await deps.kamal.listDestinations();
      if (!destinations.includes(destination)) return { want: 'unknown_destination', destinations };
      return await inspectWithKamal(destination, async (opened, signal): Promise<LookAtDestinationResult> => {
        switch (want) {
          case 'version': {
            const asked = version ?? '';
            const nothing = { want, version: asked, service: null, resolved: null };
            if (!versionPattern.test(asked)) return { ...nothing, problem: 'it is no image tag' };
            if (opened.kind === 'refused') return { ...nothing, problem: describeUnusable(destination, opened) };
            const { version: resolved, detail } = await resolveVersion(opened.session, asked, signal);
            const { service } = opened.session.destination;
            return { want, version: asked, service, resolved, problem: resolved === null ? detail : null };
          }
          case 'config':
            return { want, ...(await readConfig(deps, opened, signal)) };
          case 'audit': {
            if (opened.kind === 'refused') throw refused(destination, opened);
            const ended = await run(deps, opened.session, audit(opened.session.destination.hosts.map(({ host }) => host)), signal);
            const silent = ended.answers.filter((answer) => !isSuccess(answer)).map(({ host }) => host);
            // Nothing that happened, and nobody who could look, are two things.
            if (silent.length > 0) deps.log.warn("Some hosts do not tell Kamal's audit", { destination, hosts: silent });
            if (silent.length === ended.answers.length)
              throw ApplicationFailure.nonRetryable(`Kamal's audit could not be read: ${describeEnd(ended)}`);
            return { want, audit: parseAudit(ended.output) };
          }
          case 'state': {
            const state = await readDestinationState(deps, destination, opened, signal);
            await saveDestinations(deps.pool, [state], destinations);
            return { want, state, destinations };
          }
        }
      });
    },

    /** A person's named act: the lock of a deploy that is under way stays, its own workflow releases it. */
    async breakLock({ destination, reason, actor = 'temporal' }: BreakDeployLockInput): Promise<BreakDeployLockResult> {
      return await withKamal(destination, async (opened, signal): Promise<BreakDeployLockResult> => {
        if (opened.kind === 'refused') throw refused(destination, opened);
        const seen = await run(deps, opened.session, lockStatus(), signal);
        const lock = parseLockStatus(seen.output);
        if (!isSuccess(seen)) throw ApplicationFailure.retryable(`the lock could not be looked at: ${describeEnd(seen)}`);
        const markFree = async (): Promise<void> => await markLockFree(deps.pool, { destination, at: new Date().toISOString() });
        if (lock === null) {
          await markFree();
          return { kind: 'was_free', detail: 'nobody held it' };
        }
        const ours = parseLockMessage(lock.message);
        if (ours !== null && (await isDeployLive(deps.pool, ours.deployId)) === true)
          return { kind: 'refused', detail: `deploy ${ours.deployId} is under way and releases it itself; cancel it instead` };
        const holder = describeHolder(lock);
        const act = { actor, source: 'deployer', address: null, subjectKind: 'destination', subject: destination } as const;
        // Before the act: a deployer that is killed behind it has broken the lock as well.
        await recordAct(deps.pool, { ...act, act: 'break_lock_begun', detail: { reason, holder } });
        await run(deps, opened.session, lockRelease(), signal);
        const after = await run(deps, opened.session, lockStatus(), signal);
        if (parseLockStatus(after.output) !== null) throw ApplicationFailure.retryable('Kamal did not release the lock');
        await markFree();
        await recordAct(deps.pool, { ...act, act: 'lock_broken', outcome: 'broken', detail: { reason, holder } });
        return { kind: 'broken', detail: `it was held by ${holder}` };
      });
    },

    /** What every destination is like now, for those who look at the rows. A destination that cannot be looked at says why. */
    async refreshDestinations(only: readonly string[] | null): Promise<void> {
      const names = await deps.kamal.listDestinations();
      for (const destination of names.filter((name) => only?.includes(name) ?? true)) {
        try {
          const state = await inspectWithKamal(
            destination,
            async (opened, signal) => await readDestinationState(deps, destination, opened, signal),
          );
          await saveDestinations(deps.pool, [state], names);
        } catch (error) {
          deps.cancellation().throwIfAborted();
          // The others are none the worse for it.
          deps.log.warn('A destination could not be looked at, the next turn tries again', { destination, error });
        }
      }
      if (names.length === 0) await saveDestinations(deps.pool, [], []);
    },
  };
};

export type DestinationActivities = Omit<ReturnType<typeof createDestinationActivities>, 'refreshDestinations'>;

const readDestinationState = async (deps: DeployDeps, name: string, opened: OpenedKamal, signal: AbortSignal): Promise<DestinationView> => {
  const seenAt = new Date().toISOString();
  if (opened.kind === 'refused') {
    const { known } = opened;
    const hosts = (known?.hosts ?? []).map((host) => ({ ...host, version: null }));
    return { service: known?.service ?? '', destination: name, hosts, lock: null, problem: describeProblems(opened), seenAt };
  }
  const { destination: seen } = opened.session;
  const names = seen.hosts.map(({ host }) => host);
  const versions = await run(deps, opened.session, appVersion(names), signal);
  const lock = await run(deps, opened.session, lockStatus(), signal);
  const running = readVersions(names, versions);
  const problems = [
    ...findSilent(running).map(({ host, problem }) => `${host}: ${problem}`),
    ...(isSuccess(lock) ? [] : [`the lock could not be looked at: ${describeEnd(lock)}`]),
  ];
  const held = isSuccess(lock) ? parseLockStatus(lock.output) : null;
  return {
    service: seen.service,
    destination: name,
    hosts: seen.hosts.map((host) => ({ ...host, version: running.get(host.host)?.versions?.[0]?.version ?? null })),
    lock: held,
    problem: problems.length === 0 ? null : problems.join('; '),
    seenAt,
  };
};

const readConfig = async (
  deps: DeployDeps,
  opened: OpenedKamal,
  signal: AbortSignal,
): Promise<Omit<Extract<LookAtDestinationResult, { want: 'config' }>, 'want'>> => {
  if (opened.kind === 'refused') {
    const of = (check: 'config' | 'secrets') => {
      const problems = opened.problems.filter((problem) => problem.check === check);
      return { isOk: problems.length === 0, detail: problems.map(({ detail }) => detail).join('; ') };
    };
    const read = of('config');
    // Their names stand in the configuration.
    const secrets = read.isOk ? of('secrets') : { isOk: false, detail: 'were not looked for' };
    return { kamal: { isOk: false, detail: 'was not asked' }, config: read, secrets };
  }
  const program = await run(deps, opened.session, kamalVersion(), signal);
  const parsed = await run(deps, opened.session, config(), signal);
  return {
    kamal: { isOk: isSuccess(program), detail: isSuccess(program) ? program.output.trim() : describeEnd(program) },
    config: { isOk: isSuccess(parsed), detail: isSuccess(parsed) ? '' : describeEnd(parsed) },
    secrets: { isOk: true, detail: `${opened.session.destination.secretNames.length} are there` },
  };
};

const run = async ({ limits }: DeployDeps, session: KamalSession, command: KamalCommand, signal: AbortSignal): Promise<KamalEnd> => {
  const ended = await session.run(command, {
    onLine: () => undefined,
    signal,
    timeoutMs: limits.kamalQuickMs,
    silentMs: limits.kamalQuickMs,
  });
  signal.throwIfAborted();
  return ended;
};

const describeProblems = ({ problems }: Extract<OpenedKamal, { kind: 'refused' }>): string =>
  problems.map(({ check, detail }) => `${check}: ${detail}`).join('; ');

const describeUnusable = (destination: string, opened: Extract<OpenedKamal, { kind: 'refused' }>): string =>
  `the configuration of ${destination} cannot be used: ${describeProblems(opened)}`;

const refused = (destination: string, opened: Extract<OpenedKamal, { kind: 'refused' }>): ApplicationFailure =>
  ApplicationFailure.nonRetryable(describeUnusable(destination, opened), failureTypes.invalidInput);
