import type { CommandKind, CommandOutcome, CommandView, MeansUsed, ResolutionType, Route, RouteTaken } from '../../contracts/command';
import type { JobState } from '../../contracts/job';
import { callAssigner } from '../jobs/assign';
import { recordCommandEnd } from '../audit';
import type { Queryable } from '../queryable';

export interface NewCommand {
  jobId: string;
  kind: CommandKind;
  actor: string;
  source: string;
  reason: string | null;
  resolutionType?: ResolutionType | null;
  /** Of a resolve. */
  submitted?: boolean;
}

/** A command with what only its workflow needs. */
export type Command = CommandView & {
  source: string;
  resolutionType: ResolutionType | null;
  submitted: boolean | null;
  wasEndedBefore: boolean;
  attemptId: string | null;
};

/**
 * Writes the command, or answers the open one of that kind. A cancel marks its job in the same statement, so that nothing is assigned or tried again
 * from then on. Null when there is no such job.
 */
export const openCommand = async (db: Queryable, command: NewCommand): Promise<{ command: Command; isNew: boolean } | null> => {
  const { rows } = await db.query<{ command_id: string; is_new: boolean }>(
    `with job as (select * from yardmaster.job where job_id = $1::uuid),
     opened as (
       insert into yardmaster.command (job_id, generation, kind, actor, source, reason, resolution_type, submitted, was_ended_before, attempt_id)
       select job_id, generation, $2, $3, $4, $5, $6, $7, ended_at is not null, attempt_id from job
       on conflict (job_id, kind) where ended_at is null do nothing
       returning command_id
     ),
     marked as (
       update yardmaster.job j set cancel_requested_at = coalesce(j.cancel_requested_at, now())
       where j.job_id = $1::uuid and $2 = 'cancel' and j.ended_at is null and exists (select from opened)
     )
     select command_id, true as is_new from opened
     union all
     select command_id, false from yardmaster.command
     where job_id = $1::uuid and kind = $2 and ended_at is null and not exists (select from opened)`,
    [command.jobId, command.kind, command.actor, command.source, command.reason, command.resolutionType ?? null, command.submitted ?? null],
  );
  const row = rows[0];
  if (row !== undefined) {
    const found = await findCommand(db, row.command_id);
    return found === null ? null : { command: found, isNew: row.is_new };
  }
  // Somebody opened one between our snapshot and our insert, or there is no such job.
  const { rows: open } = await db.query<{ command_id: string }>(
    `select command_id from yardmaster.command where job_id = $1::uuid and kind = $2 and ended_at is null`,
    [command.jobId, command.kind],
  );
  const found = open[0] === undefined ? null : await findCommand(db, open[0].command_id);
  return found === null ? null : { command: found, isNew: false };
};

export const findCommand = async (db: Queryable, commandId: string): Promise<Command | null> => {
  const { rows } = await db.query<CommandRow>(`${selectCommand} where c.command_id = $1::uuid`, [commandId]);
  return rows[0] === undefined ? null : toCommand(rows[0]);
};

/** Newest first. */
export const listCommands = async (db: Queryable, { jobId, rows: limit }: { jobId: string; rows: number }): Promise<Command[]> => {
  const { rows } = await db.query<CommandRow>(
    `${selectCommand} where c.job_id = $1::uuid order by c.requested_at desc, c.command_id limit $2::int`,
    [jobId, limit],
  );
  return rows.map(toCommand);
};

export interface UpdatedCommand {
  jobId: string;
  kind: CommandKind;
  route: Route | 'none';
  outcome: CommandOutcome | 'none';
}

/** A cancel that nothing stops goes on for days, and the list travels with every read of it: what is repeated is kept once, of the rest the newest. */
const keptMeans = 20;

/** Writes what is known by now; what is left out stays. An ended command does not change any more: null. */
export const updateCommand = async (
  db: Queryable,
  update: {
    commandId: string;
    route?: RouteTaken;
    means?: MeansUsed[];
    outcome?: CommandOutcome;
    detail?: string;
    isEnd?: boolean;
    endedAt?: Date | null;
  },
): Promise<UpdatedCommand | null> => {
  const { rows } = await db.query<UpdatedCommand>(
    `with updated as (update yardmaster.command set
       route = coalesce($2::jsonb, route), attempt_id = coalesce(($2::jsonb ->> 'attemptId')::uuid, attempt_id),
       means = case when $3::jsonb is null then means else (
         select coalesce(jsonb_agg(entry order by first_at), '[]') from (
           select entry, min(n) as first_at from jsonb_array_elements(means || $3::jsonb) with ordinality as each (entry, n)
           group by entry order by max(n) desc limit ${keptMeans}) kept) end,
       outcome = coalesce($4, outcome), detail = coalesce($5, detail),
       ended_at = case when $6::boolean then coalesce($7::timestamptz, now()) end, touched_at = now()
     where command_id = $1::uuid and ended_at is null
     returning job_id as "jobId", kind, coalesce(route ->> 'route', 'none') as route, coalesce(outcome, 'none') as outcome, ended_at)
     -- The worker of a cancel that is through may be given the next job.
     select "jobId", kind, route, outcome, case when ended_at is not null and kind = 'cancel' then ${callAssigner} end as called from updated`,
    [
      update.commandId,
      update.route === undefined ? null : JSON.stringify(update.route),
      update.means === undefined ? null : JSON.stringify(update.means),
      update.outcome ?? null,
      update.detail ?? null,
      update.isEnd ?? false,
      update.endedAt ?? null,
    ],
  );
  const [row] = rows;
  return row === undefined ? null : { jobId: row.jobId, kind: row.kind, route: row.route, outcome: row.outcome };
};

/**
 * The outcome of a command and its line in the audit are one write: inside of a transaction. Ending an ended command changes nothing, and answers null.
 */
export const endCommand = async (
  db: Queryable,
  update: Omit<Parameters<typeof updateCommand>[1], 'isEnd'>,
): Promise<UpdatedCommand | null> => {
  const ended = await updateCommand(db, { ...update, isEnd: true });
  await recordCommandEnd(db, update.commandId);
  return ended;
};

/**
 * Open commands that nobody has touched for a while: their workflow was never started, or is gone, or has lost the message. A message is repeated more and
 * more rarely, since each time stays in a history.
 */
export const listStalledCommands = async (
  db: Queryable,
  { afterMs, rows: limit }: { afterMs: number; rows: number },
): Promise<Command[]> => {
  const { rows } = await db.query<CommandRow>(
    `${selectCommand} where c.ended_at is null and c.touched_at < now() - $1::int * interval '1 ms'
       and (c.kind in ('cancel', 'resume') or c.touched_at < now() - (now() - c.requested_at) / 10)
     order by c.touched_at limit $2::int`,
    [afterMs, limit],
  );
  return rows.map(toCommand);
};

/** The public view, without what only the workflow needs. */
export const viewCommand = ({
  source: _source,
  resolutionType: _type,
  submitted: _submitted,
  wasEndedBefore: _before,
  attemptId: _attempt,
  ...view
}: Command): CommandView => view;

const selectCommand = `select c.*, j.state as job_state from yardmaster.command c join yardmaster.job j using (job_id)`;

interface CommandRow {
  command_id: string;
  job_id: string;
  generation: number;
  kind: CommandKind;
  actor: string;
  source: string;
  reason: string | null;
  resolution_type: ResolutionType | null;
  submitted: boolean | null;
  requested_at: Date;
  was_ended_before: boolean;
  attempt_id: string | null;
  route: RouteTaken | null;
  means: MeansUsed[];
  outcome: CommandOutcome | null;
  detail: string;
  ended_at: Date | null;
  job_state: JobState;
}

const toCommand = (row: CommandRow): Command => ({
  commandId: row.command_id,
  jobId: row.job_id,
  generation: row.generation,
  kind: row.kind,
  actor: row.actor,
  source: row.source,
  reason: row.reason,
  resolutionType: row.resolution_type,
  submitted: row.submitted,
  requestedAt: row.requested_at.toISOString(),
  wasEndedBefore: row.was_ended_before,
  attemptId: row.attempt_id,
  route: row.route,
  means: row.means,
  outcome: row.outcome,
  detail: row.detail,
  endedAt: row.ended_at?.toISOString() ?? null,
  jobState: row.job_state,
});
