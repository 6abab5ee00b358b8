import { ApplicationFailure } from '@temporalio/common';
import type { RouteTaken } from '../../src/contracts/command';
import { sealedTextsSchema, type SealedTexts } from '../../src/contracts/sealed-texts';
import { failureTypes } from '../../src/contracts/errors';
import type { WorkflowLimits } from '../../src/contracts/limits';
import type { ResumeJobInput } from '../../src/contracts/messages';
import { findCommand, openCommand, updateCommand, type Command } from '../../src/db/commands/commands';
import { findCancelListener } from '../../src/db/commands/cancel-listeners';
import { findJob } from '../../src/db/jobs/jobs';
import { withTransaction } from '../../src/db/pool';
import { findExecutionMode, resumeAttempt, scrubResolution, traceResume } from '../../src/db/commands/resume';
import { lookUpRoute } from '../../src/db/commands/routes';
import { hasSecret, takeSecret } from '../../src/db/commands/secrets';
import { outcomes } from '../../src/domain/command-outcome';
import { needsSecret, refuseResume } from '../../src/domain/resume-refusal';
import { whoAnswers } from '../../src/domain/process-liveness';
import { routeCommand } from '../../src/domain/route-command';
import { logRoute } from './cancel';
import type { CommandDeps } from '../deps';
import { endCommand } from './end-command';
import { readPort } from '../fleet/worker-port';

/** A resume on its way: what it hit, and since when. */
export interface Delivery {
  attemptId: string;
  since: string;
}

/** Why it was not even tried. */
export interface Undelivered {
  outcome: 'refused' | 'superseded';
  detail: string;
}

export const createResumeActivities = (deps: CommandDeps) => {
  const { pool, log, limits } = deps;

  const open = async ({ jobId, actor, note, source, resolutionType }: ResumeJobInput): Promise<Command> => {
    const opened = await openCommand(pool, {
      jobId,
      kind: 'resume',
      actor: actor ?? 'somebody',
      source: source ?? 'temporal',
      reason: note ?? null,
      resolutionType: resolutionType ?? 'manual',
    });
    if (opened === null) throw ApplicationFailure.nonRetryable(`no job ${jobId}`, failureTypes.jobNotFound);
    const { command } = opened;
    // The workflow is started again over a command that did its work: what the job is by now is its result, no reason to refuse it.
    if (isDelivered(command)) return command;
    const job = await findJob(pool, jobId);
    const refusal =
      job === null
        ? 'The job is gone'
        : refuseResume({
            state: job.state,
            humanKind: job.humanKind,
            isCancelRequested: job.isCancelRequested,
            executionMode: job.attempt === null ? null : await findExecutionMode(pool, job.attempt.attemptId),
            resolutionType: command.resolutionType ?? 'manual',
            hasSecret: await hasSecret(pool, command.commandId),
          });
    if (refusal === null) return command;
    return await end(command.commandId, job?.isCancelRequested === true ? 'superseded' : 'refused', refusal);
  };

  return {
    /** Writes the command or joins the one that REST wrote, and refuses at once what cannot work. */
    async openResume(input: ResumeJobInput): Promise<Command & WorkflowLimits<'resumeTakenMs' | 'resumeScrubMs' | 'resumeProofMs'>> {
      const { resumeTakenMs, resumeScrubMs, resumeProofMs } = limits;
      return { ...(await open(input)), limits: { resumeTakenMs, resumeScrubMs, resumeProofMs } };
    },

    async routeResume({ commandId }: { commandId: string }): Promise<RouteTaken> {
      const command = await getCommand(commandId);
      const found = await lookUpRoute(pool, command.jobId, { freshMs: limits.workerHeartbeatFreshMs });
      const listener = found.attempt === null ? 'absent' : await findCancelListener(pool, found.attempt.attemptId);
      // Its listener lives in the process that waits: nobody else can hold it (ghosthands §7.3).
      const wished = routeCommand('resume', { ...found, listener, isOwnerProvenAlive: listener === 'present' });
      const route = wished.route === 'owner' && listener !== 'present' ? await checkWaiter(wished) : wished;
      logRoute(deps, command, route);
      await updateCommand(pool, { commandId, route });
      return route;
    },

    /**
     * Resumes in one transaction with taking the secret out of its box, so that it is used once. Run again after its commit it finds its own note, and
     * does nothing. Null: nobody waits there. A worker that waits for a code is never let go on without it, and none is once a cancel is under way.
     */
    async deliverResume({ commandId, route }: { commandId: string; route: RouteTaken }): Promise<Delivery | Undelivered | null> {
      const command = await getCommand(commandId);
      const { attemptId, workerId } = route;
      if (attemptId === null || workerId === null) return null;
      return await withTransaction(pool, async (client) => {
        const { rows } = await client.query<{ now: Date }>('select now() as now');
        const since = (rows[0]?.now ?? new Date()).toISOString();
        if (isDelivered(command)) return { attemptId, since: command.requestedAt };
        if ((await findJob(client, command.jobId))?.isCancelRequested === true)
          return { outcome: 'superseded', detail: outcomes.superseded.words };
        const type = command.resolutionType ?? 'manual';
        const opened = openSecret(await takeSecret(client, commandId));
        if (needsSecret(type) && opened.data === null) return { outcome: 'refused', detail: opened.problem };
        const resolution = { type, data: opened.data, by: command.actor };
        const isTaken = await resumeAttempt(client, { attemptId, workerId, freshMs: limits.resumeFreshMs, resolution });
        await updateCommand(client, { commandId, means: [{ means: 'resume_row', result: isTaken ? 'delivered' : 'nobody_waits' }] });
        return isTaken ? { attemptId, since } : null;
      });
    },

    async scrubResume({ attemptId }: { attemptId: string }): Promise<void> {
      await scrubResolution(pool, attemptId);
    },

    /** `taken`: the worker read it. `moving`: it also goes on. `gone`: the row is not in its hands any more, which the job judges by itself. */
    async traceResume({ attemptId, since }: Delivery): Promise<'waiting' | 'taken' | 'moving'> {
      const trace = await traceResume(pool, { attemptId, since: new Date(since) });
      if (trace === null || !['running', 'queued'].includes(trace.status)) return 'moving';
      const beatsAfterMs = trace.heartbeatAt === null ? -1 : trace.heartbeatAt.getTime() - Date.parse(since);
      if (trace.isTaken && beatsAfterMs > limits.resumeProofMs / 2) return 'moving';
      return trace.isTaken ? 'taken' : 'waiting';
    },

    async noteResumed({ commandId }: { commandId: string }): Promise<Command> {
      await updateCommand(pool, { commandId, outcome: 'resumed', detail: outcomes.resumed.words });
      return await getCommand(commandId);
    },

    async endResume({
      commandId,
      outcome,
      detail,
    }: {
      commandId: string;
      outcome: 'resumed' | 'refused' | 'zombie' | 'superseded';
      detail: string;
    }): Promise<Command> {
      const command = await end(commandId, outcome, detail);
      if (outcome !== 'resumed') log.warn('A resume did not work', { commandId, jobId: command.jobId, outcome, detail });
      return command;
    },
  };

  function openSecret(sealed: Buffer | null): { data: SealedTexts; problem: '' } | { data: null; problem: string } {
    if (sealed === null) return { data: null, problem: 'Its code is no longer valid, or was used already: send a new one' };
    if (deps.secrets === null)
      return { data: null, problem: 'The orchestrator has no SECRETS_KEY to open its code with: set it, then send the code again' };
    try {
      return { data: sealedTextsSchema.parse(JSON.parse(deps.secrets.open(sealed))), problem: '' };
    } catch {
      // Never the error: what it quotes may be of the secret.
      return {
        data: null,
        problem: 'The SECRETS_KEY of the orchestrator opens no code that the gateway has sealed: give both the same, then send it again',
      };
    }
  }

  /** A registry row lives on for minutes after its process: without a listener, the status port must say that somebody works there. */
  async function checkWaiter(route: RouteTaken): Promise<RouteTaken> {
    const port = await readPort(deps.hosts, route.host ?? '');
    const who = whoAnswers(port, { workerId: route.workerId ?? '', ranAtMs: null, jitterMs: 0 });
    if (who === null || (who === 'itself' && port.kind === 'answers' && port.activeJobs > 0)) return route;
    const reason = who === 'nobody' ? 'the process of its worker is gone' : 'its worker works on nothing';
    return { ...route, route: 'parked', reason, steps: [...route.steps, { lookedUp: 'database', found: null, level: 'warn', reason }] };
  }

  async function end(commandId: string, outcome: 'resumed' | 'refused' | 'zombie' | 'superseded', detail: string): Promise<Command> {
    await takeSecret(pool, commandId);
    await endCommand(deps, { commandId, outcome, detail });
    return await getCommand(commandId);
  }

  async function getCommand(commandId: string): Promise<Command> {
    const command = await findCommand(pool, commandId);
    if (command === null) throw ApplicationFailure.nonRetryable(`no command ${commandId}`, failureTypes.jobNotFound);
    return command;
  }
};

const isDelivered = ({ means }: Command): boolean => means.some((used) => used.means === 'resume_row' && used.result === 'delivered');

export type ResumeActivities = ReturnType<typeof createResumeActivities>;
