import { ApplicationFailure } from '@temporalio/common';
import type { MeansUsed, RouteStep, RouteTaken } from '../../src/contracts/command';
import { failureTypes } from '../../src/contracts/errors';
import type { WorkflowLimits } from '../../src/contracts/limits';
import type { CancelJobInput, WakeSignal } from '../../src/contracts/messages';
import { endCancelListener, findCancelListener } from '../../src/db/commands/cancel-listeners';
import { findCommand, openCommand, updateCommand, viewCommand, type Command } from '../../src/db/commands/commands';
import { findJob } from '../../src/db/jobs/jobs';
import { mirrorJob } from '../../src/db/jobs/mirror';
import { withTransaction } from '../../src/db/pool';
import { lookUpRoute } from '../../src/db/commands/routes';
import { cancelOutcome, outcomes } from '../../src/domain/command-outcome';
import { isTerminal } from '../../src/domain/job-state';
import { fallbackMessage, routeCommand, routeLevel } from '../../src/domain/route-command';
import type { CancelMeans, CommandDeps } from '../deps';
import { endCommand } from './end-command';
import { readClaim, watchExit, type ExitProof, type Watched } from './exit-watch';
import { readPort } from '../fleet/worker-port';

export interface Stopped {
  proof: ExitProof;
  /** Something of the worker was there: it may still run. */
  isReached: boolean;
  detail: string;
}

export interface CancelProgress {
  command: Command;
  /** The attempt that has to be stopped; null when no worker has the job. */
  attemptId: string | null;
  /** A worker was seen to have it: its listener may be ended before the job has answered, since nothing can be taken back any more. */
  isClaimed: boolean;
}

/** How the cancel goes about it, as configured when it was opened: a workflow reads no settings. */
export interface CancelPlan {
  means: readonly CancelMeans[];
  /** After so long it says that it is unconfirmed. */
  confirmMs: number;
}

/** The steps of a cancel. None of them ends a job: that is applyJob's, which is notified of what was proven (design §5). */
export const createCancelActivities = (deps: CommandDeps) => {
  const { pool, log, limits, hosts, workflows } = deps;

  return {
    /** Writes the command, or joins the open one; from then on nothing of the job is assigned or tried again. */
    async openCancel({
      jobId,
      actor,
      reason,
      source,
      commandId,
    }: CancelJobInput): Promise<CancelProgress & CancelPlan & WorkflowLimits<'cancelRetryFirstMs' | 'cancelRetryMaxMs'>> {
      const begun = commandId === undefined ? null : await findCommand(pool, commandId);
      const opened =
        begun?.jobId === jobId && begun.kind === 'cancel'
          ? { command: begun }
          : await openCommand(pool, {
              jobId,
              kind: 'cancel',
              actor: actor ?? 'somebody',
              source: source ?? 'temporal',
              reason: reason ?? null,
            });
      if (opened === null) throw ApplicationFailure.nonRetryable(`no job ${jobId}`, failureTypes.jobNotFound);
      const { cancelConfirmMs: confirmMs, cancelRetryFirstMs, cancelRetryMaxMs } = limits;
      return { ...(await settle(opened.command)), means: deps.cancelMeans, confirmMs, limits: { cancelRetryFirstMs, cancelRetryMaxMs } };
    },

    /** Looks at the job and ends the command when the job rests. */
    async lookAtCancel({ commandId }: { commandId: string }): Promise<CancelProgress> {
      return await settle(await getCommand(commandId));
    },

    /** Finds where the cancel goes; the same object is logged, kept in the row and answered. */
    async routeCancel({ commandId }: { commandId: string }): Promise<RouteTaken> {
      const command = await getCommand(commandId);
      const found = await lookUpRoute(pool, command.jobId, { freshMs: limits.workerHeartbeatFreshMs });
      const listener = found.attempt === null ? 'absent' : await findCancelListener(pool, found.attempt.attemptId);
      const taken = routeCommand('cancel', { ...found, listener, isOwnerProvenAlive: false });
      logRoute(deps, command, taken);
      // A worker that registers again as it restarts must not hide the fallback that stopped it.
      await updateCommand(pool, { commandId, route: { ...taken, steps: joinSteps(command.route?.steps ?? [], taken.steps) } });
      return taken;
    },

    /**
     * Ends the cancel listener of the attempt, or asks the worker's API, and watches the process go. Asked again it does both again: a listener that
     * is gone is not ended twice, and the proof is looked for anew. What the API answers is recorded and proves nothing: today's GH answers 500
     * (ghosthands §1.4).
     */
    async stopAttempt({
      commandId,
      route,
      means,
    }: {
      commandId: string;
      route: RouteTaken;
      means: Exclude<CancelMeans, 'recycle'>;
    }): Promise<Stopped> {
      const { attemptId, workerId, host } = route;
      if (attemptId === null || workerId === null) return { proof: null, isReached: false, detail: 'nobody has it' };
      const command = await getCommand(commandId);
      const claim = await readClaim(deps, attemptId);
      const watched = host ?? claim.host;
      const before = watched === null ? null : await readPort(hosts, watched);
      const { isEnding, result } = means === 'listener' ? await endListener(attemptId) : await askApi(host, attemptId);
      await updateCommand(pool, { commandId, means: [{ means, result }] });
      const proof =
        watched === null
          ? null
          : await watchExit(deps, watched, {
              workerId,
              attemptId,
              ...claimedThere(claim, watched),
              before,
              isAddressCurrent: host !== null,
              isEnding,
            });
      log.info('A running attempt is being stopped', {
        commandId,
        jobId: command.jobId,
        attemptId,
        workerId,
        host: watched,
        means,
        result,
        proof,
      });
      return { proof, isReached: isEnding || before?.kind === 'answers', detail: result };
    },

    /** After a recycle: is the process another one now? */
    async proveStopped({ commandId, route, recycle }: { commandId: string; route: RouteTaken; recycle: string }): Promise<ExitProof> {
      await updateCommand(pool, { commandId, means: [{ means: 'recycle', result: recycle }] });
      const { host, workerId, attemptId } = route;
      if (host === null || workerId === null || attemptId === null) return null;
      const claimed = claimedThere(await readClaim(deps, attemptId), host);
      return await watchExit(deps, host, { workerId, attemptId, ...claimed, before: null, isAddressCurrent: true, isEnding: true });
    },

    async tellJob({ jobId, wake }: { jobId: string; wake: WakeSignal }): Promise<void> {
      await workflows.ensureApplyJob(jobId, wake);
    },

    /** Says that it is not proven stopped, while the workflow goes on trying. */
    async noteUnconfirmed({ commandId, detail }: { commandId: string; detail: string }): Promise<void> {
      const updated = await updateCommand(pool, { commandId, outcome: 'unconfirmed', detail });
      log.error('A cancel is not confirmed: its worker may still run', { commandId, jobId: updated?.jobId, detail });
    },
  };

  async function endListener(attemptId: string): Promise<{ isEnding: boolean; result: string }> {
    const { ended, problem } = await endCancelListener(pool, attemptId);
    const listener = await findCancelListener(pool, attemptId);
    return { isEnding: ended > 0, result: problem ?? (ended > 0 ? 'ended' : listener === 'unreadable' ? 'unreadable' : 'none_found') };
  }

  async function askApi(host: string | null, attemptId: string): Promise<{ isEnding: boolean; result: string }> {
    if (host === null) return { isEnding: false, result: 'no address' };
    const { isTaken, detail } = await hosts.askToCancel(host, attemptId);
    return { isEnding: isTaken, result: detail };
  }

  async function getCommand(commandId: string): Promise<Command> {
    const command = await findCommand(pool, commandId);
    if (command === null) throw ApplicationFailure.nonRetryable(`no command ${commandId}`, failureTypes.jobNotFound);
    return command;
  }

  async function settle(command: Command): Promise<CancelProgress> {
    const job = await findJob(pool, command.jobId);
    if (job === null) throw ApplicationFailure.nonRetryable(`no job ${command.jobId}`, failureTypes.jobNotFound);
    const live = job.attempt !== null && job.attempt.state !== 'ended' ? job.attempt : null;
    const isUnreachable = job.reason === 'unreachable';
    const isStillRunning = job.state === 'uncertain' && live !== null && !isUnreachable;
    // Another generation means that the one this command is about has ended.
    const outcome =
      job.generation > command.generation
        ? ('already_finished' as const)
        : isStillRunning
          ? null
          : cancelOutcome(job.state, { wasEndedBefore: command.wasEndedBefore, isUnreachable, submission: job.submission });
    if (outcome !== null && command.endedAt === null) {
      const atRow: MeansUsed[] =
        command.route === null && outcome === 'cancelled' ? [{ means: 'take_back', result: 'no worker had it' }] : [];
      const route =
        command.route ??
        routeCommand('cancel', { attempt: null, registry: [], sandboxHost: null, listener: 'absent', isOwnerProvenAlive: false });
      if (command.route === null) logRoute(deps, command, route);
      await endCommand(deps, { commandId: command.commandId, route, means: atRow, outcome, detail: outcomes[outcome].words });
      // A public row that somebody had cancelled kept that status until now (src/db/jobs/mirror.ts).
      if (!isTerminal(job.state))
        await withTransaction(pool, async (client) => {
          await findJob(client, job.jobId, { lock: true });
          await mirrorJob(client, job.jobId, deps);
        });
    }
    return { command: await getCommand(command.commandId), attemptId: live?.attemptId ?? null, isClaimed: live?.state === 'running' };
  }
};

/** Nothing is known of a claim at another address. */
const claimedThere = (
  { host, ...claim }: Awaited<ReturnType<typeof readClaim>>,
  watched: string | null,
): Pick<Watched, 'ranAtMs' | 'boundByMs'> => (host === watched ? claim : { ranAtMs: null, boundByMs: null });

export type CancelActivities = ReturnType<typeof createCancelActivities>;

/** Never silently anywhere (promise 4): what is not the owner is a WARN, and a worker that the registry does not know an ERROR before it. */
export const logRoute = ({ log }: CommandDeps, command: Command, route: RouteTaken): void => {
  const fields = { ...viewOf(command), workerId: route.workerId, route: route.route, host: route.host, reason: route.reason };
  if (route.route === 'row' || route.route === 'owner') {
    log.info(`A ${command.kind} is routed`, fields);
    return;
  }
  const error = route.steps.find(({ level }) => level === 'error');
  if (routeLevel(route) === 'error' && error !== undefined)
    log.error('A worker is not where its job says', { ...fields, reason: error.reason });
  log.warn(fallbackMessage, fields);
};

/** What was looked up again with the same answer is there once, so that the tries of an hour do not fill a row. */
const joinSteps = (earlier: readonly RouteStep[], later: readonly RouteStep[]): RouteStep[] => {
  const key = ({ lookedUp, found, reason }: RouteStep): string => JSON.stringify([lookedUp, found, reason]);
  const known = new Set(earlier.map(key));
  return [...earlier, ...later.filter((step) => !known.has(key(step)))];
};

const viewOf = (command: Command): { jobId: string; commandId: string } => {
  const { jobId, commandId } = viewCommand(command);
  return { jobId, commandId };
};
