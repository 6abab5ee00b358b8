import { setTimeout as sleep } from 'node:timers/promises';
import { ApplicationFailure } from '@temporalio/common';
import type { MeansUsed, RouteTaken } from '../src/contracts/command';
import { failureTypes } from '../src/contracts/errors';
import type { CancelJobInput, WakeSignal } from '../src/contracts/messages';
import { endCancelListener, findCancelListener } from '../src/db/cancel-listeners';
import { findCommand, noteCommand, openCommand, viewCommand, type Command } from '../src/db/commands';
import { findJob } from '../src/db/jobs';
import { findClaim, lookUpRoute } from '../src/db/routes';
import { cancelOutcome, outcomes } from '../src/domain/command-outcome';
import { provesExit, type PortSeen } from '../src/domain/exit-proof';
import { fallbackMessage, routeAgain, routeCommand, routeLevel } from '../src/domain/route-command';
import type { CommandDeps } from './deps';
import { endCommand } from './end-command';

/** `gone`: another process or none; `idle`: the process is through with the attempt. */
export type ExitProof = 'gone' | 'idle' | null;

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
}

/** The steps of a cancel. None of them ends a job: that is applyJob's, which is told what was proven (design §4 Commands). */
export const createCancelActivities = (deps: CommandDeps) => {
  const { pool, log, limits, hosts, workflows } = deps;

  return {
    /** Writes the command, or joins the open one; from then on nothing of the job is assigned or tried again. */
    async openCancel({ jobId, actor, reason, source }: CancelJobInput): Promise<CancelProgress> {
      const opened = await openCommand(pool, {
        jobId,
        kind: 'cancel',
        actor: actor ?? 'somebody',
        source: source ?? 'temporal',
        reason: reason ?? null,
      });
      if (opened === null) throw ApplicationFailure.nonRetryable(`no job ${jobId}`, failureTypes.jobNotFound);
      return await settle(opened.command);
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
      const route = routeAgain(command.route, taken);
      await noteCommand(pool, { commandId, route });
      return route;
    },

    /**
     * Ends the cancel listener of the attempt and watches its process go. Asked again it does both again: a listener that is gone is not ended
     * twice, and the proof is looked for anew.
     */
    async stopAttempt({ commandId, route }: { commandId: string; route: RouteTaken }): Promise<Stopped> {
      const { attemptId, workerId } = route;
      if (attemptId === null || workerId === null) return { proof: null, isReached: false, detail: 'nobody has it' };
      // Where only the database knows the worker, its last address is looked at, never commanded.
      const host = route.host ?? (await findClaim(pool, attemptId))?.host ?? null;
      const before = host === null ? ({ kind: 'silent' } as const) : await look(host);
      const { ended, problem } = deps.cancelMeans.includes('listener')
        ? await endCancelListener(pool, attemptId)
        : { ended: 0, problem: null };
      const listener = await findCancelListener(pool, attemptId);
      const result = problem ?? (ended > 0 ? 'ended' : listener === 'unreadable' ? 'unreadable' : 'none_found');
      await noteCommand(pool, { commandId, means: [{ means: 'listener', result }] });
      const proof = host === null ? null : await watchExit(host, before, { route, isEnding: ended > 0 });
      log.info('A running attempt is being stopped', { attemptId, workerId, host, listener: result, proof });
      return { proof, isReached: ended > 0 || before.kind === 'answers', detail: result };
    },

    /** After a recycle: is the process another one now? */
    async proveStopped({ commandId, route, recycle }: { commandId: string; route: RouteTaken; recycle: string }): Promise<ExitProof> {
      await noteCommand(pool, { commandId, means: [{ means: 'recycle', result: recycle }] });
      if (route.host === null || route.workerId === null || route.attemptId === null) return null;
      return await watchExit(route.host, { kind: 'silent' }, { route, isEnding: true });
    },

    async tellJob({ jobId, wake }: { jobId: string; wake: WakeSignal }): Promise<void> {
      await workflows.ensureApplyJob(jobId, wake);
    },

    /** Says that it is not proven stopped, while the workflow goes on trying. */
    async noteUnconfirmed({ commandId, detail }: { commandId: string; detail: string }): Promise<void> {
      await noteCommand(pool, { commandId, outcome: 'unconfirmed', detail });
      log.error('A cancel is not confirmed: its worker may still run', { commandId, detail });
    },
  };

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
          : cancelOutcome(job.state, { wasEndedBefore: command.wasEndedBefore, isUnreachable });
    if (outcome !== null && command.endedAt === null) {
      const atRow: MeansUsed[] =
        command.route === null && outcome === 'cancelled' ? [{ means: 'take_back', result: 'no worker had it' }] : [];
      const route =
        command.route ??
        routeCommand('cancel', { attempt: null, registry: [], sandboxHost: null, listener: 'absent', isOwnerProvenAlive: false });
      if (command.route === null) logRoute(deps, command, route);
      await endCommand(pool, { commandId: command.commandId, route, means: atRow, outcome, detail: outcomes[outcome].words });
    }
    return { command: await getCommand(command.commandId), attemptId: live?.attemptId ?? null };
  }

  async function look(host: string): Promise<PortSeen> {
    const answer = await hosts.readWorkerPort(host);
    if (answer.kind !== 'answers') return { kind: answer.kind };
    const { worker_id: workerId, active_jobs: activeJobs, uptime_ms: uptimeMs } = answer.status;
    return { kind: 'answers', workerId, activeJobs, processStartedAtMs: Date.now() - uptimeMs, atMs: Date.now() };
  }

  /** GH exits 1.0 s after its listener ended, and its container is back about a second later: looked at often enough to see the gap. */
  async function watchExit(
    host: string,
    before: PortSeen,
    { route, isEnding }: { route: RouteTaken; isEnding: boolean },
  ): Promise<ExitProof> {
    const { attemptId, workerId } = route;
    if (attemptId === null || workerId === null) return null;
    const claimed = await findClaim(pool, attemptId);
    const looks: PortSeen[] = [];
    const deadline = Date.now() + (isEnding ? limits.exitProofMs : limits.exitProofMs / 4);
    do {
      looks.push(await look(host));
      const proof = provesExit(before, looks, {
        workerId,
        // Its age by the database's clock, so that ours need not agree with it.
        claimedAtMs: claimed === null ? null : claimed.readAtMs - claimed.ageMs,
        isAddressCurrent: route.route !== 'database',
        jitterMs: limits.processStartJitterMs / 2,
      });
      if (proof !== null && (await findCancelListener(pool, attemptId)) !== 'present') return proof;
      await sleep(limits.exitLookEveryMs);
    } while (Date.now() < deadline);
    return null;
  }
};

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

const viewOf = (command: Command): { jobId: string; commandId: string } => {
  const { jobId, commandId } = viewCommand(command);
  return { jobId, commandId };
};
