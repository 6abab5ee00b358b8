import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { ApplicationFailure } from '@temporalio/common';
import type { DeployPhase, DeployView } from '../../src/contracts/deploy';
import { failureTypes } from '../../src/contracts/errors';
import { keepDeploy } from '../../src/db/deploys/deploy-fleet';
import { findDeploy } from '../../src/db/deploys/deploy-rows';
import { changeDeploy, claimDeploy, moveHosts, type DeployChange } from '../../src/db/deploys/deploys';
import { withTransaction } from '../../src/db/pool';
import type { Queryable } from '../../src/db/queryable';
import { fillerOf } from '../../src/domain/deploy-hosts';
import type { KamalCommand } from '../../src/kamal/commands';
import type { KamalSession } from '../../src/kamal/kamal';
import type { KamalEnd } from '../../src/kamal/run';
import { CutOffError, type DeployDeps } from './deploy-deps';
import { createDeployLog, OvertakenError, type DeployLog } from './deploy-log';
import { findFleetHosts } from './fleet-hosts';

/** One run of one step: what it may use, and the only way in which it writes. */
export interface StepRun {
  deploy: DeployView;
  log: DeployLog;
  signal: AbortSignal;
  runner: string;
  /** Opened when it is first asked for; a refusal of the configuration is thrown, but for `tryOpen`. */
  open(): Promise<KamalSession>;
  tryOpen(): ReturnType<DeployDeps['kamal']['open']>;
  /** Kamal, with its lines in the log, unless it is asked the same again and again. Ended with the step. */
  kamal(command: KamalCommand, options?: { isQuick?: boolean; hasLock?: boolean; isLogged?: boolean }): Promise<KamalEnd>;
  /** Writes what was found and where the deploy is now, in one transaction; then logs it. */
  move(change: DeployChange, hosts?: Parameters<typeof moveHosts>[2]): Promise<void>;
  pause(ms: number): Promise<void>;
  /** Throws when the deployer drains: whoever takes over goes on from the rows. */
  mayGoOn(): void;
}

export interface DeployRef {
  deployId: string;
}

export type RunStep = (deployId: string, phases: readonly DeployPhase[], step: (run: StepRun) => Promise<void>) => Promise<DeployView>;

export const createRunStep =
  (deps: DeployDeps): RunStep =>
  async (deployId, phases, step) => {
    const { pool, limits } = deps;
    const runner = randomUUID();
    const isLive = await claimDeploy(pool, { deployId, runner });
    const deploy = await getDeploy(deps, deployId);
    // An earlier run was through, and its answer was lost.
    if (!isLive || !phases.includes(deploy.phase)) return deploy;

    const signal = deps.cancellation();
    const log = createDeployLog({ pool, log: deps.log, limits, deployId, runner, lastSeq: deploy.lastSeq });
    let opened: ReturnType<DeployDeps['kamal']['open']> | undefined;
    const beat = startBeat(deps, deploy);
    const run: StepRun = {
      deploy,
      log,
      signal,
      runner,
      tryOpen: async () => await (opened ??= openKamal(deps, deploy)),
      async open() {
        const answer = await run.tryOpen();
        if (answer.kind === 'opened') return answer.session;
        throw new Error(answer.problems.map(({ check, detail }) => `${check}: ${detail}`).join('; '));
      },
      async kamal(command, { isQuick = false, hasLock = true, isLogged = true } = {}) {
        run.mayGoOn();
        const session = await run.open();
        if (isLogged) await log.say(`$ kamal ${command.name}`);
        const ended = await session.run(command, {
          onLine: isLogged ? log.write : () => undefined,
          signal,
          timeoutMs: isQuick ? limits.kamalQuickMs : limits.kamalStepMs,
          silentMs: limits.kamalSilentMs,
          hasLock,
        });
        signal.throwIfAborted();
        return ended;
      },
      async move(change, hosts = []) {
        await withTransaction(pool, async (client) => {
          if (!(await changeDeploy(client, { deployId, runner }, change))) throw new OvertakenError(`another run has deploy ${deployId}`);
          if (hosts.length > 0) await moveHosts(client, deployId, hosts);
        });
        if (change.phase !== undefined && change.phase !== run.deploy.phase) await log.say(describePhase(change));
        run.deploy = await getDeploy(deps, deployId);
      },
      async pause(ms) {
        run.mayGoOn();
        await delay(ms, undefined, { signal: AbortSignal.any([signal, deps.draining]) }).catch(() => undefined);
        signal.throwIfAborted();
        run.mayGoOn();
      },
      mayGoOn() {
        signal.throwIfAborted();
        if (deps.draining.aborted) throw ApplicationFailure.retryable('the deployer shuts down', failureTypes.deployerDrains);
      },
    };

    try {
      await endLeftovers(deps, run);
      await step(run);
      await log.flush();
      return await getDeploy(deps, deployId);
    } catch (error) {
      throw await explain(error, { deps, deploy, log, signal });
    } finally {
      clearInterval(beat);
      const answer = await opened?.catch(() => undefined);
      if (answer?.kind === 'opened') await answer.session.close();
    }
  };

export const getDeploy = async ({ pool }: { pool: Queryable }, deployId: string): Promise<DeployView> => {
  const deploy = await findDeploy(pool, deployId);
  if (deploy === null) throw ApplicationFailure.nonRetryable(`no deploy ${deployId}`, failureTypes.deployNotFound);
  return deploy;
};

const openKamal = async (deps: DeployDeps, { deployId, destination, hosts }: DeployView): ReturnType<DeployDeps['kamal']['open']> => {
  const fleet = hosts.length > 0 ? [] : (await findFleetHosts(deps, destination)).hosts;
  const isUnderWay = hosts.length > 0;
  return await deps.kamal.open({ deployId, destination, fleetHostsOf: fillerOf(hosts, fleet), isUnderWay });
};

/** The server learns every beat that somebody works; the database keeps the hosts held. */
const startBeat = ({ heartbeat, pool, limits }: DeployDeps, { deployId, phase }: DeployView): NodeJS.Timeout => {
  let renewAt = Date.now() + limits.deployHoldRenewMs;
  heartbeat({ phase });
  return setInterval(() => {
    heartbeat({ phase });
    if (Date.now() < renewAt) return;
    renewAt = Date.now() + limits.deployHoldRenewMs;
    // The lease outlives many that fail.
    keepDeploy(pool, { deployId, leaseMs: limits.deployHoldMs }).catch(() => undefined);
  }, limits.deployBeatMs);
};

/** A killed deployer's supervisor ends its Kamal within seconds; this does not wait for that. */
const endLeftovers = async ({ kamal, log }: DeployDeps, run: StepRun): Promise<void> => {
  const left = await kamal.endLeftovers(run.deploy.deployId);
  if (left.endedCommands > 0) await run.log.say(`ended ${left.endedCommands} commands that a deployer before this one had left`);
  if (left.problems.length > 0)
    log.warn('Leftovers of a deploy could not be ended', { deployId: run.deploy.deployId, problems: left.problems });
};

/** A cancel ends the step as cancelled; a shutdown, or a fault, leaves it to the next try. What was written so far is stored in any case. */
const explain = async (
  thrown: unknown,
  { deps, deploy, log, signal }: { deps: DeployDeps; deploy: DeployView; log: DeployLog; signal: AbortSignal },
): Promise<unknown> => {
  if (thrown instanceof OvertakenError) return ApplicationFailure.retryable(thrown.message, failureTypes.overtaken);
  const isShutdown = signal.aborted && (signal.reason instanceof CutOffError || messageOf(signal.reason).includes('WORKER_SHUTDOWN'));
  const isCancel = signal.aborted && !isShutdown;
  await log.say(isCancel ? `${deploy.phase} is cancelled` : `${deploy.phase} was interrupted: ${messageOf(thrown)}`).catch(() => undefined);
  await log.flush().catch(() => undefined);
  if (isCancel) return signal.reason;
  if (isShutdown) return ApplicationFailure.retryable('the deployer shut down in the middle of a step', failureTypes.deployerDrains);
  if (!(thrown instanceof ApplicationFailure))
    deps.log.warn('A step of a deploy failed', { deployId: deploy.deployId, phase: deploy.phase, error: thrown });
  return thrown;
};

const describePhase = ({ phase, direction, detail }: DeployChange): string =>
  `→ ${phase}${direction === 'back' ? ', on the way back' : ''}${detail === undefined || detail === '' ? '' : `: ${detail}`}`;

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
