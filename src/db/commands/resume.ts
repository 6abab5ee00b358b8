import type { ResolutionType } from '../../contracts/command';
import type { Queryable } from '../queryable';

/** What GH's resume writes beside the interaction (ghosthands §6.2). */
export const resolutionKeys = `'{resolution_type,resolution_data,resolved_by,resolved_at}'::text[]`;

/** An interaction without them. What is no object is none, and Postgres takes no key out of a scalar. */
export const withoutResolution = (column: string): string =>
  `case when jsonb_typeof(${column}) = 'object' then ${column} - ${resolutionKeys} end`;

/** What a resume gives to the worker. `data` may hold a code or a password: it is on its way through, never kept. */
export interface Resolution {
  type: ResolutionType;
  data: Record<string, string> | null;
  by: string;
}

/**
 * Resumes by SQL, atomically and fenced (ghosthands §6.2): only the worker that has the row, only while it waits and beats. Better than GH's own route, which
 * answers 409 when VALET wrote `needs_human` over the row. Inside the caller's transaction; false when nobody waits.
 */
export const resumeAttempt = async (
  db: Queryable,
  { attemptId, workerId, freshMs, resolution }: { attemptId: string; workerId: string; freshMs: number; resolution: Resolution },
): Promise<boolean> => {
  const { rowCount } = await db.query(
    `update gh_automation_jobs set
       interaction_data = case when jsonb_typeof(interaction_data) = 'object' then interaction_data else '{}' end || jsonb_strip_nulls(jsonb_build_object(
         'resolution_type', $4::text, 'resolution_data', $5::jsonb, 'resolved_by', $6::text, 'resolved_at', now())),
       status = 'running', paused_at = null, status_message = 'Resumed'
     where id = $1::uuid and worker_id = $2 and status in ('paused', 'needs_human') and last_heartbeat > now() - $3::int * interval '1 ms'`,
    [attemptId, workerId, freshMs, resolution.type, resolution.data === null ? null : JSON.stringify(resolution.data), resolution.by],
  );
  if (rowCount !== 1) return false;
  await db.query(`select pg_notify('gh_job_resume', $1)`, [attemptId]);
  return true;
};

/** Takes what a resume carried out of the row, whether the worker took it or not: it is plain text there, and on the Realtime publication. */
export const scrubResolution = async (db: Queryable, attemptId: string): Promise<void> => {
  await db.query(
    `update gh_automation_jobs set interaction_data = ${withoutResolution('interaction_data')}
     where id = $1::uuid and interaction_data ?| ${resolutionKeys}`,
    [attemptId],
  );
};

/** What tells whether the worker took a resume and goes on: GH deletes the keys as it reads them, then says so in an event. */
export interface ResumeTrace {
  isTaken: boolean;
  /** Seconds count: a zombie's heartbeat stands still while its row says running (ghosthands §6.3). */
  heartbeatAt: Date | null;
  status: string;
}

export const traceResume = async (db: Queryable, { attemptId, since }: { attemptId: string; since: Date }): Promise<ResumeTrace | null> => {
  const { rows } = await db.query<ResumeTrace>(
    `select g.status, g.last_heartbeat as "heartbeatAt",
       not coalesce(g.interaction_data ? 'resolution_type', false) or exists (
         select from gh_job_events e where e.job_id = g.id and e.event_type = 'hitl_resumed' and e.created_at >= $2::timestamptz) as "isTaken"
     from gh_automation_jobs g where g.id = $1::uuid`,
    [attemptId, since],
  );
  return rows[0] ?? null;
};

/** Which engine has the attempt: Mastra drops codes and credentials before its step reads them (ghosthands §6.2). */
export const findExecutionMode = async (db: Queryable, attemptId: string): Promise<string | null> => {
  const { rows } = await db.query<{ execution_mode: string | null }>(`select execution_mode from gh_automation_jobs where id = $1::uuid`, [
    attemptId,
  ]);
  return rows[0]?.execution_mode ?? null;
};
