import type { CommandKind } from '../contracts/command';
import { judgePersonCommand } from '../domain/person-command-outcome';
import { recordCommandEnd } from './audit';
import { findCommand, updateCommand, type UpdatedCommand } from './commands';
import type { Job } from './jobs';
import type { Queryable } from './queryable';

/**
 * Ends the open retries and resolves of a job of which its record says by now what came of them; with `taken` also those of that kind of which it says
 * nothing, since they have just been carried out as far as they can be. Each has its line in the audit. Inside of a transaction.
 */
export const endPersonCommands = async (
  db: Queryable,
  job: Pick<Job, 'jobId' | 'generation' | 'state' | 'humanKind' | 'reason' | 'detail'>,
  { taken = null }: { taken?: CommandKind | null } = {},
): Promise<UpdatedCommand[]> => {
  const { rows } = await db.query<{ commandId: string; kind: 'retry' | 'resolve'; generation: number; leftAt: Date | null }>(
    `select c.command_id as "commandId", c.kind, c.generation, (
       select min(t.at) from yardmaster.job_transition t
       where t.job_id = c.job_id and t.at >= c.requested_at
         and (t.generation > c.generation or t.state in ('succeeded', 'failed', 'cancelled', 'expired'))) as "leftAt"
     from yardmaster.command c where c.job_id = $1::uuid and c.kind in ('retry', 'resolve') and c.ended_at is null`,
    [job.jobId],
  );
  const ended: UpdatedCommand[] = [];
  for (const { commandId, kind, generation, leftAt } of rows) {
    const end =
      judgePersonCommand({ kind, generation }, job) ??
      (kind === taken ? { outcome: 'refused' as const, detail: `The job is ${job.state}` } : null);
    if (end === null) continue;
    const noted = await updateCommand(db, { commandId, ...end, isEnd: true, endedAt: leftAt });
    await recordCommandEnd(db, commandId);
    if (noted !== null) ended.push(noted);
  }
  return ended;
};

/** Nobody can say any more what was meant; whoever said it may say it again. */
export const refusePersonCommand = async (db: Queryable, commandId: string, detail: string): Promise<void> => {
  if ((await findCommand(db, commandId)) === null) return;
  await updateCommand(db, { commandId, outcome: 'refused', detail, isEnd: true });
  await recordCommandEnd(db, commandId);
};
