import { judgePersonCommand } from '../domain/person-command-outcome';
import { recordCommandEnd } from './audit';
import { updateCommand, type UpdatedCommand } from './commands';
import type { Job } from './jobs';
import type { Queryable } from './queryable';

/** Ends the open retries and resolves of a job of which its record says by now what came of them, each with its line in the audit. Inside of a transaction. */
export const endPersonCommands = async (
  db: Queryable,
  job: Pick<Job, 'jobId' | 'generation' | 'state' | 'humanKind' | 'reason' | 'detail'>,
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
    const end = judgePersonCommand({ kind, generation }, job);
    if (end === null) continue;
    const noted = await updateCommand(db, { commandId, ...end, isEnd: true, endedAt: leftAt });
    await recordCommandEnd(db, commandId);
    if (noted !== null) ended.push(noted);
  }
  return ended;
};

export const refusePersonCommand = async (db: Queryable, commandId: string, detail: string): Promise<void> => {
  await updateCommand(db, { commandId, outcome: 'refused', detail, isEnd: true });
  await recordCommandEnd(db, commandId);
};
