import type { CommandOutcome } from '../../contracts/command';
import { terminalJobStates } from '../../contracts/job';
import { isTerminal } from '../../domain/job-state';
import { judgePersonCommand } from '../../domain/person-command-outcome';
import { recordAct, type Act, type Actor } from '../audit';
import { endCommand, findCommand, openCommand, type Command, type NewCommand, type UpdatedCommand } from './commands';
import { findJob, openNextGeneration, type Job } from '../jobs/jobs';
import { mirrorJob, type MirrorOptions } from '../jobs/mirror';
import type { Queryable } from '../queryable';
import { inWords } from '../words';

/** Ends the open retries and resolves of a job of which its record says by now what came of them, each with its line in the audit. Inside of a transaction. */
export const endPersonCommands = async (
  db: Queryable,
  job: Pick<Job, 'jobId' | 'generation' | 'state' | 'humanKind' | 'reason' | 'detail'>,
): Promise<UpdatedCommand[]> => {
  const { rows } = await db.query<{ commandId: string; kind: 'retry' | 'resolve'; generation: number; leftAt: Date | null }>(
    `select c.command_id as "commandId", c.kind, c.generation, (
       select min(t.at) from yardmaster.job_transition t
       where t.job_id = c.job_id and t.at >= c.requested_at
         and (t.generation > c.generation or t.state ${inWords(terminalJobStates)})) as "leftAt"
     from yardmaster.command c where c.job_id = $1::uuid and c.kind in ('retry', 'resolve') and c.ended_at is null`,
    [job.jobId],
  );
  const ended: UpdatedCommand[] = [];
  for (const { commandId, kind, generation, leftAt } of rows) {
    const end = judgePersonCommand({ kind, generation }, job);
    if (end === null) continue;
    const noted = await endCommand(db, { commandId, ...end, endedAt: leftAt });
    if (noted !== null) ended.push(noted);
  }
  return ended;
};

/** A retry that was written down, and what it found. */
export interface OpenedRetry {
  /** As it was before. */
  job: Job;
  /** Open where the job's own workflow has to carry it out, which an uncertain one is. */
  command: Command;
  /** Another try of what may be submitted already: it takes `confirm`. */
  isConfirmNeeded: boolean;
}

/**
 * Opens the next generation of an ended job; leaves the command of an uncertain one to its workflow, and refuses what else there is. A possible submission
 * needs `confirm` (promise 3). Inside of a transaction; null when there is no such job.
 */
export const openRetry = async (
  db: Queryable,
  { jobId, confirm, by, jobMs, mirror }: { jobId: string; confirm: boolean; by: Actor; jobMs: number; mirror: MirrorOptions },
): Promise<OpenedRetry | null> => {
  const job = await findJob(db, jobId, { lock: true });
  if (job === null) return null;
  const act = { ...by, act: 'retry', subjectKind: 'job', subject: jobId, detail: { generation: job.generation, confirm } } as const;
  const open = await openPersonCommand(db, { jobId, kind: 'retry', actor: by.actor, source: by.source, reason: null }, act);
  if (open === null) return null;
  const end = async (outcome: CommandOutcome, detail: string) => await endPersonCommand(db, open, outcome, detail);
  if (!isTerminal(job.state) && job.state !== 'uncertain') {
    const command = await end('refused', `The job is ${job.state}: nothing has ended that could be tried again`);
    return { job, command, isConfirmNeeded: false };
  }
  if (!confirm && (job.submission !== 'no' || job.state === 'uncertain'))
    return { job, command: await end('refused', confirmDetail), isConfirmNeeded: true };
  if (job.state === 'uncertain') return { job, command: open, isConfirmNeeded: false };
  await openNextGeneration(db, { jobId, actor: by.actor, jobMs });
  await mirrorJob(db, jobId, { showsWorkerId: mirror.showsWorkerId, isNewLife: true });
  return { job, command: await end('reopened', `It is generation ${job.generation + 1}`), isConfirmNeeded: false };
};

const confirmDetail = 'It may already be submitted: check at the employer, then repeat with confirm: true';

/** With its line in the audit; null when there is no such job. */
export const openPersonCommand = async (db: Queryable, command: NewCommand, act: Act): Promise<Command | null> => {
  const opened = await openCommand(db, command);
  if (opened === null) return null;
  await recordAct(db, { ...act, detail: { ...act.detail, commandId: opened.command.commandId } });
  return opened.command;
};

export const endPersonCommand = async (db: Queryable, command: Command, outcome: CommandOutcome, detail: string): Promise<Command> => {
  const { commandId } = command;
  await endCommand(db, { commandId, outcome, detail });
  return (await findCommand(db, commandId)) ?? command;
};
