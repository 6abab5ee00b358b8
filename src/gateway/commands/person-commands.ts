import { endCommand, type Command } from '../../db/commands/commands';
import { findJob, type Job } from '../../db/jobs/jobs';
import { isUniqueViolation } from '../../db/outage';
import { endPersonCommand, openPersonCommand, openRetry } from '../../db/commands/person-commands';
import { withTransaction } from '../../db/pool';
import { isResolvable } from '../../domain/job-state';
import { actorOf } from '../actor';
import type { GatewayDeps } from '../gateway-deps';
import { noSuchJob, Problem } from '../problem';
import type { RequestFacts } from '../request-facts';
import type { StartedCommand } from '../workflows-client';
import { awaitCommand, settlePersonCommands } from './await-command';
import { temporalIsAway } from './refusals';

/** A command, and whether its job's workflow was reached. */
export interface PersonCommandReply {
  command: Command;
  /** Another try of what may be submitted already: it takes `confirm`. */
  isConfirmNeeded: boolean;
  isStarted: boolean;
}

/** Opens the next generation of an ended job; signals the workflow of an uncertain one. A possible submission needs `confirm` (promise 3). */
export const retryJob = async (
  deps: GatewayDeps,
  { jobId, confirm, waitMs }: { jobId: string; confirm: boolean; waitMs: number },
  facts: RequestFacts,
): Promise<PersonCommandReply> => {
  await settlePersonCommands(deps, jobId);
  const by = actorOf(facts);
  const { job, command, isConfirmNeeded } = await reopening(jobId, () =>
    withTransaction(deps.pool, async (client) => {
      const opened = await openRetry(client, { jobId, confirm, by, jobMs: deps.limits.jobMs, mirror: deps.settings });
      if (opened === null) throw noSuchJob(jobId);
      return opened;
    }),
  );
  if (command.outcome === 'refused') return { command, isConfirmNeeded, isStarted: true };
  if (command.outcome === 'reopened') {
    const { userId } = job;
    const started = await deps.workflows.startNextGeneration({ jobId, userId, requestId: facts.requestId });
    if (started.kind === 'unreachable') {
      facts.log.warn('Temporal did not take the next generation in time; it is open and the sweep starts it', {
        jobId,
        error: started.error,
      });
    }
    return { command, isConfirmNeeded: false, isStarted: started.kind !== 'unreachable' };
  }
  const sent = await deps.workflows.retryUncertainJob(jobId, { confirm: true, actor: by.actor });
  return await awaitPersonCommand(deps, command, sent, waitMs, facts);
};

/** A person says how a review or a possible submission ended. Whoever came first is believed. */
export const resolveJob = async (
  deps: GatewayDeps,
  { jobId, submitted, note, waitMs }: { jobId: string; submitted: boolean; note: string | null; waitMs: number },
  facts: RequestFacts,
): Promise<PersonCommandReply> => {
  await settlePersonCommands(deps, jobId);
  const by = actorOf(facts);
  const command = await withTransaction(deps.pool, async (client) => {
    const job = await findJob(client, jobId, { lock: true });
    if (job === null) throw noSuchJob(jobId);
    const act = { ...by, act: 'resolve', subjectKind: 'job', subject: jobId, detail: { generation: job.generation, submitted } } as const;
    const open = await openPersonCommand(
      client,
      { jobId, kind: 'resolve', actor: by.actor, source: by.source, reason: note, submitted },
      act,
    );
    if (open === null) throw noSuchJob(jobId);
    return isResolvable(job) ? open : await endPersonCommand(client, open, 'refused', whyNotResolvable(job));
  });
  if (command.endedAt !== null) return { command, isConfirmNeeded: false, isStarted: true };
  const sent = await deps.workflows.resolveJob(jobId, { submitted, actor: by.actor, ...(note === null ? {} : { note }) });
  return await awaitPersonCommand(deps, command, sent, waitMs, facts);
};

const whyNotResolvable = ({ state, humanKind }: Job): string => {
  if (state === 'waiting_human' && humanKind === 'blocker') return 'The job waits at a blocker: resume it';
  return `The job is ${state}: only one that is uncertain, or waits at its review page, is resolved by a word`;
};

const awaitPersonCommand = async (
  deps: GatewayDeps,
  { commandId, jobId }: Command,
  sent: StartedCommand,
  waitMs: number,
  { log }: RequestFacts,
): Promise<PersonCommandReply> => {
  if (sent.kind !== 'unreachable') return { command: await awaitCommand(deps, commandId, waitMs), isConfirmNeeded: false, isStarted: true };
  // It is a signal and nothing repeats it, so that it may not stay open as if it were under way.
  log.warn("Temporal did not take a person's word in time", { jobId, commandId, error: sent.error });
  const end = { commandId, outcome: 'refused', detail: 'Temporal did not take it in time' } as const;
  await withTransaction(deps.pool, async (client) => await endCommand(client, end));
  throw temporalIsAway();
};

/** A task of the product is one application, and meanwhile that may be another job. */
const reopening = async <Result>(jobId: string, work: () => Promise<Result>): Promise<Result> => {
  try {
    return await work();
  } catch (error) {
    if (!isUniqueViolation(error)) throw error;
    throw new Problem(
      'job_state_conflict',
      `The task of job ${jobId} has another live job by now, or one that may have submitted: wait for its end, or cancel it`,
    );
  }
};
