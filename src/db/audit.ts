import type { Queryable } from './queryable';

/** Who did it and from where: the name of a key, the API it came through, the caller's address. */
export interface Actor {
  actor: string;
  source: string;
  address: string | null;
}

/** One act that changes something. `detail` holds ids and words of ours, and why the fleet is paused; never a note beside a secret. */
export interface Act extends Actor {
  act: string;
  subjectKind: 'job' | 'fleet' | 'callback' | 'host' | 'worker' | 'deploy' | 'destination';
  subject: string;
  route?: string | null;
  outcome?: string | null;
  detail?: Readonly<Record<string, string | number | boolean | null>>;
}

/** In the transaction of the act, so that neither is there without the other. */
export const recordAct = async (db: Queryable, act: Act): Promise<void> => {
  await db.query(
    `insert into yardmaster.audit (actor, source, address, act, subject_kind, subject, route, outcome, detail)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9::jsonb)`,
    [
      act.actor,
      act.source,
      act.address,
      act.act,
      act.subjectKind,
      act.subject,
      act.route ?? null,
      act.outcome ?? null,
      JSON.stringify(act.detail ?? {}),
    ],
  );
};

/**
 * The second line of a command: the route that it took and what came of it. Does nothing before its end, nor a second time; inside of a transaction, since
 * the lock on the command is what keeps two callers from both writing it.
 */
export const recordCommandEnd = async (db: Queryable, commandId: string): Promise<void> => {
  const { rowCount } = await db.query(
    `select from yardmaster.command where command_id = $1::uuid and ended_at is not null for no key update`,
    [commandId],
  );
  if (rowCount !== 1) return;
  await db.query(
    `insert into yardmaster.audit (actor, source, act, subject_kind, subject, route, outcome, detail)
     select actor, source, kind || '_ended', 'job', job_id::text, route ->> 'route', outcome,
       jsonb_build_object('commandId', command_id, 'generation', generation)
     from yardmaster.command c
     where command_id = $1::uuid and not exists (
       select from yardmaster.audit a
       where a.subject = c.job_id::text and a.act = c.kind || '_ended' and a.detail ->> 'commandId' = c.command_id::text)`,
    [commandId],
  );
};

export interface AuditEntry extends Required<Act> {
  auditId: number;
  at: Date;
}

export interface AuditFilter {
  actor: string | null;
  act: string | null;
  subject: string | null;
  since: Date | null;
  /** Entries older than this one. */
  before: number | null;
  rows: number;
}

/** Newest first; `next` is where the next page begins. */
export const listAudit = async (db: Queryable, filter: AuditFilter): Promise<{ entries: AuditEntry[]; next: number | null }> => {
  const { rows } = await db.query<Omit<AuditEntry, 'auditId'> & { auditId: string }>(
    `select audit_id as "auditId", at, actor, source, address, act, subject_kind as "subjectKind", subject, route, outcome, detail
     from yardmaster.audit
     where ($1::text is null or actor = $1) and ($2::text is null or act = $2) and ($3::text is null or subject = $3)
       and ($4::timestamptz is null or at >= $4) and ($5::bigint is null or audit_id < $5)
     order by audit_id desc limit $6::int`,
    [filter.actor, filter.act, filter.subject, filter.since, filter.before, filter.rows + 1],
  );
  const entries = rows.slice(0, filter.rows).map((row) => ({ ...row, auditId: Number(row.auditId) }));
  return { entries, next: rows.length > filter.rows ? (entries.at(-1)?.auditId ?? null) : null };
};
