import type { DeployLogLine, DeployOutcome } from '../../contracts/deploy';
import { queryNamed, type Queryable } from '../queryable';

/** How far a log is: its end, and whether more can come. */
export interface LogHead {
  deployId: string;
  /** Number of the newest line; 0 before the first. */
  lastSeq: number;
  /** Null while more lines can come. */
  outcome: DeployOutcome | null;
  detail: string;
  /** What runs, or is to run: the immutable tag. */
  version: string;
}

export interface LogPage {
  head: LogHead;
  /** The next lines, in order; empty at the end. Where retention took some, they are simply missing. */
  lines: DeployLogLine[];
}

export const findLogHead = async (db: Queryable, deployId: string): Promise<LogHead | null> => {
  const { rows } = await db.query<HeadRow>(`select ${headColumns} from yardmaster.deploy d where d.deploy_id = $1::uuid`, [deployId]);
  return rows[0] === undefined ? null : toHead(rows[0]);
};

/** The newest deploy of all; null before the first. */
export const findNewestLogHead = async (db: Queryable): Promise<LogHead | null> => {
  const { rows } = await db.query<HeadRow>(
    `select ${headColumns} from yardmaster.deploy d order by requested_at desc, deploy_id desc limit 1`,
  );
  return rows[0] === undefined ? null : toHead(rows[0]);
};

/**
 * The lines after a number, as many as fit into both limits, one at least: a page must fit into memory many times over, whatever the lines are. In
 * one statement with the deploy's own row, so that an outcome is never seen before the lines that led to it. Null: no such deploy.
 */
export const readLogPage = async (
  db: Queryable,
  { deployId, after, rows: limit, bytes }: { deployId: string; after: number; rows: number; bytes: number },
): Promise<LogPage | null> => {
  const { rows } = await queryNamed<HeadRow & { lines: [string, string, DeployLogLine['stream'], string][] | null }>(db, {
    name: 'read_log_page',
    text: `
     select ${headColumns}, (
       select jsonb_agg(jsonb_build_array(p.seq::text, to_char(p.at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), p.stream, p.line) order by p.seq)
       from (
         select l.*, sum(octet_length(l.line)) over (order by l.seq) - octet_length(l.line) as bytes_before
         from (select seq, at, stream, line from yardmaster.deploy_log where deploy_id = d.deploy_id and seq > $2::bigint order by seq limit $3::int) l
       ) p where p.bytes_before < $4::bigint
     ) as lines
     from yardmaster.deploy d where d.deploy_id = $1::uuid`,
    values: [deployId, after, limit, bytes],
  });
  const row = rows[0];
  if (row === undefined) return null;
  return {
    head: toHead(row),
    lines: (row.lines ?? []).map(([seq, at, stream, line]) => ({ seq: Number(seq), at, stream, line })),
  };
};

const headColumns = `d.deploy_id, d.last_seq, d.outcome, d.detail, coalesce(d.resolved_version, d.version) as version`;

interface HeadRow {
  deploy_id: string;
  last_seq: string;
  outcome: DeployOutcome | null;
  detail: string;
  version: string;
}

const toHead = (row: HeadRow): LogHead => ({
  deployId: row.deploy_id,
  lastSeq: Number(row.last_seq),
  outcome: row.outcome,
  detail: row.detail,
  version: row.version,
});
