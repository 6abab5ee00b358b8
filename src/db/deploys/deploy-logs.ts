import { deployLogChannel, type LogStream } from '../../contracts/deploy';
import { queryNamed, type Queryable } from '../queryable';

export interface NewLogLine {
  at: Date;
  stream: LogStream;
  /** Redacted. */
  line: string;
}

/**
 * Numbers, stores and announces lines in one statement, in their order: the lock on the deploy's row numbers them, and the notification carries the
 * last number only. Null: another run writes now, or the deploy has ended, whose readers have had their end.
 */
export const appendLogLines = async (
  db: Queryable,
  { deployId, runner, lines }: { deployId: string; runner: string; lines: readonly NewLogLine[] },
): Promise<number | null> => {
  const { rows } = await queryNamed<{ last_seq: string }>(db, {
    name: 'append_log_lines',
    text: `
     with own as (
       update yardmaster.deploy set last_seq = last_seq + $6::int, touched_at = now()
       where deploy_id = $1::uuid and runner = $2::uuid and ended_at is null returning last_seq
     ), stored as (
       insert into yardmaster.deploy_log (deploy_id, seq, at, stream, line)
       select $1::uuid, own.last_seq - $6::int + l.n, l.at, l.stream, l.line
       from own, unnest($3::timestamptz[], $4::text[], $5::text[]) with ordinality as l(at, stream, line, n)
     )
     select last_seq, pg_notify($7, $1::text || ' ' || last_seq) from own`,
    values: [
      deployId,
      runner,
      lines.map(({ at }) => at),
      lines.map(({ stream }) => stream),
      lines.map(({ line }) => withoutNul(line)),
      lines.length,
      deployLogChannel,
    ],
  });
  return rows[0] === undefined ? null : Number(rows[0].last_seq);
};

/** Were these lines stored although nobody heard of it? Asked after a connection was lost with an answer on its way; null: they were not. */
export const findStoredLines = async (
  db: Queryable,
  { deployId, afterSeq, first, count }: { deployId: string; afterSeq: number; first: NewLogLine; count: number },
): Promise<number | null> => {
  const { rows } = await db.query<{ seq: string }>(
    `select seq from yardmaster.deploy_log where deploy_id = $1::uuid and seq > $2::bigint and at = $3 and stream = $4 and line = $5
     order by seq limit 1`,
    [deployId, afterSeq, first.at, first.stream, withoutNul(first.line)],
  );
  return rows[0] === undefined ? null : Number(rows[0].seq) + count - 1;
};

/** A line of our own about a deploy that no step is running for. */
export const appendOwnLine = async (db: Queryable, { deployId, line }: { deployId: string; line: string }): Promise<void> => {
  await db.query(
    `with own as (
       update yardmaster.deploy set last_seq = last_seq + 1, touched_at = now() where deploy_id = $1::uuid returning last_seq
     ), stored as (
       insert into yardmaster.deploy_log (deploy_id, seq, at, stream, line)
       select $1::uuid, last_seq, clock_timestamp(), 'yardmaster', $2 from own
     )
     select pg_notify($3, $1::text || ' ' || last_seq) from own`,
    [deployId, withoutNul(line), deployLogChannel],
  );
};

/** Postgres stores no NUL in a text. */
const withoutNul = (text: string): string => text.replaceAll('\u0000', '\uFFFD');
