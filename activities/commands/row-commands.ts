import type { CommandKind } from '../../src/contracts/command';
import { readRowResolution } from '../../src/contracts/resolution';
import { recordAct, type Actor } from '../../src/db/audit';
import { endCommand, openCommand } from '../../src/db/commands/commands';
import { findJob, type Job } from '../../src/db/jobs/jobs';
import { mirrorJob } from '../../src/db/jobs/mirror';
import { isUniqueViolation } from '../../src/db/outage';
import { openRetry } from '../../src/db/commands/person-commands';
import { withTransaction } from '../../src/db/pool';
import type { Queryable } from '../../src/db/queryable';
import {
  hasFreshRowResume,
  lockPublicRow,
  noteForPerson,
  takeResolution,
  type RowCommandKind,
  type TakenResolution,
} from '../../src/db/commands/row-commands';
import { saveSecret } from '../../src/db/commands/secrets';
import { isTerminal } from '../../src/domain/job-state';
import { aroundMessage } from '../../src/domain/route-command';
import type { CommandDeps } from '../deps';

export type RowCommandDeps = Pick<CommandDeps, 'pool' | 'log' | 'limits' | 'observe' | 'workflows' | 'secrets' | 'showsWorkerId'>;

/** A command that was found in a public row, and what became of it. */
export interface TakenRowCommand {
  jobId: string;
  kind: CommandKind;
  /** `joined`: one of its kind was under way. `refused`: it has no effect, and the reason says why. */
  taken: 'taken' | 'joined' | 'refused';
  reason: string;
}

/** It stays in its row, and whoever looks next tries again. */
export interface UntakenRowCommand {
  taken: 'failed';
}

/** What one transaction found; the command is routed after its commit. */
interface Found extends TakenRowCommand {
  workerId: string | null;
  /** Which workflow carries it out; null when none has to. */
  starts: 'cancel' | 'resume' | 'next_generation' | null;
}

export interface RowCommands {
  /**
   * Takes what the public row of this job says; null when it says nothing, or is no row of ours. Any number of orchestrators may try at once. Whatever keeps
   * one row from it must not keep the others from theirs, so it throws nothing.
   */
  take(jobId: string, kind: RowCommandKind): Promise<TakenRowCommand | UntakenRowCommand | null>;
}

/** Nobody showed a key: whoever may write the neighbours' tables may have been it. */
const neighbour: Actor = { actor: 'a neighbour', source: 'row', address: null };

/**
 * Commands that went around us, to the API of a machine or into the table, arrive all the same: each is taken out of the public row and becomes a command of
 * source `row`, which is routed and proven as one over REST is (design §5.5). The row of a job is locked after the job's own, as every step does.
 */
export const createRowCommands = (deps: RowCommandDeps): RowCommands => {
  const { pool, log, limits, observe, workflows } = deps;
  const finders: Record<RowCommandKind, (db: Queryable, jobId: string) => Promise<Found | null>> = {
    cancel: findCancel,
    resume: findResume,
    retry: findRetry,
  };

  return {
    async take(jobId, asked) {
      const found = await withTransaction(pool, async (client) => await finders[asked](client, jobId)).catch((error: unknown) => {
        if (asked === 'retry' && isUniqueViolation(error)) {
          const reason = 'its task has another live job by now';
          return { jobId, workerId: null, kind: asked, taken: 'refused', reason, starts: null } as const;
        }
        log.warn('A command in a public row could not be taken, and is tried again', { jobId, kind: asked, error });
        return { taken: 'failed' } as const;
      });
      if (found === null || found.taken === 'failed') return found;
      const { kind, taken, reason, workerId, starts } = found;
      log.warn(aroundMessage, { jobId, workerId, route: 'row', kind, taken, reason });
      observe({ of: 'row_command', kind, taken });
      await start(jobId, starts).catch((error: unknown) =>
        log.warn('The workflow of a command could not be started, the next pass tries again', { jobId, kind, error }),
      );
      return { jobId, kind, taken, reason };
    },
  };

  async function start(jobId: string, starts: Found['starts']): Promise<void> {
    if (starts === 'next_generation') await workflows.ensureApplyJob(jobId, { reason: 'retried', examineOwner: false });
    else if (starts !== null) await workflows.ensureCommand({ kind: starts, jobId });
  }

  async function findCancel(db: Queryable, jobId: string): Promise<Found | null> {
    const job = await findJob(db, jobId, { lock: true });
    if (job === null || isTerminal(job.state) || job.isCancelRequested) return null;
    if ((await lockPublicRow(db, jobId))?.isCancelled !== true) return null;
    const reason = 'its public row says cancelled';
    const opened = await openCommand(db, { jobId, kind: 'cancel', ...neighbour, reason });
    if (opened === null) return null;
    const { commandId, generation } = opened.command;
    await recordAct(db, { ...neighbour, act: 'cancel', subjectKind: 'job', subject: jobId, detail: { commandId, generation } });
    return { ...factsOf(job), kind: 'cancel', taken: opened.isNew ? 'taken' : 'joined', reason, starts: 'cancel' };
  }

  async function findResume(db: Queryable, jobId: string): Promise<Found | null> {
    const job = await findJob(db, jobId, { lock: true });
    if (job === null) return null;
    const taken = await takeResolution(db, jobId);
    const row = await lockPublicRow(db, jobId);
    const isEcho = await hasFreshRowResume(db, { jobId, withinMs: limits.rowResumeEchoMs });
    const isByHand = row?.isResumed === true && job.state === 'waiting_human' && !isEcho;
    const found = taken !== null || isByHand ? await openResume(db, job, taken ?? byHand) : null;
    // GH's API calls the row running, and keeps what its caller noted, which people write codes into.
    if (found !== null || row?.isResumed === true) await mirrorJob(db, jobId, deps);
    return found;
  }

  async function openResume(db: Queryable, job: Job, { type, data, isTooLong }: TakenResolution): Promise<Found> {
    const { jobId } = job;
    const read = isTooLong ? ({ kind: 'unusable', fields: ['resolution_data'] } as const) : readRowResolution({ type, data });
    const resolutionType = read.kind === 'usable' ? read.resolutionType : 'manual';
    const carries = read.kind === 'usable' ? read.data : null;
    const opened = await openCommand(db, { jobId, kind: 'resume', ...neighbour, reason: null, resolutionType });
    const facts = { ...factsOf(job), kind: 'resume' } as const;
    if (opened === null) throw new Error(`job ${jobId} is gone, although it is locked`);
    const { commandId, generation } = opened.command;
    const detail = { commandId, generation, resolutionType, hasSecret: carries !== null };
    await recordAct(db, {
      ...neighbour,
      act: 'resume',
      subjectKind: 'job',
      subject: jobId,
      ...(opened.isNew ? {} : { outcome: 'refused' }),
      detail,
    });
    // What it carried is gone, as over REST: whoever sent it hears of the first one.
    if (!opened.isNew) return { ...facts, taken: 'joined', reason: 'a resume of this job is under way', starts: null };
    const refusal = isTerminal(job.state)
      ? `Nothing waits for a person: the job is ${job.state}`
      : read.kind === 'unusable'
        ? `What came in its public row cannot be used (${read.fields.join(', ')}): send it again as POST /v1/jobs/:jobId/resume takes it`
        : carries !== null && deps.secrets === null
          ? 'A code came and could not be kept, without SECRETS_KEY: enter it at the page by hand, then resume with type manual'
          : null;
    if (refusal !== null) {
      await endCommand(db, { commandId, outcome: 'refused', detail: refusal });
      await noteForPerson(db, jobId, refusal);
      return { ...facts, taken: 'refused', reason: refusal, starts: null };
    }
    if (carries !== null && deps.secrets !== null)
      await saveSecret(db, { commandId, sealed: deps.secrets.seal(JSON.stringify(carries)), lifeMs: limits.secretLifeMs });
    return { ...facts, taken: 'taken', reason: 'its public row holds a resume', starts: 'resume' };
  }

  async function findRetry(db: Queryable, jobId: string): Promise<Found | null> {
    const job = await findJob(db, jobId, { lock: true });
    if (job === null || !(isTerminal(job.state) || job.state === 'uncertain')) return null;
    if ((await lockPublicRow(db, jobId))?.isPutBack !== true) return null;
    const opened = await openRetry(db, { jobId, confirm: false, by: neighbour, jobMs: limits.jobMs, mirror: deps });
    if (opened === null) return null;
    const facts = { ...factsOf(job), kind: 'retry' } as const;
    if (opened.command.outcome === 'reopened')
      return { ...facts, taken: 'taken', reason: 'its public row was put back to pending', starts: 'next_generation' };
    // What the row says now is nobody's command any more.
    await mirrorJob(db, jobId, deps);
    return { ...facts, taken: 'refused', reason: opened.command.detail, starts: null };
  }
};

const byHand: TakenResolution = { type: 'manual', data: null, isTooLong: false };

const factsOf = ({ jobId, attempt }: Job): Pick<Found, 'jobId' | 'workerId'> => ({ jobId, workerId: attempt?.workerId ?? null });
