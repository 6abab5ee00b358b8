import { randomUUID } from 'node:crypto';
import { defaultStrategy, deployLogChannel, type DeployLogLine, type DeployOutcome, type LogStream } from '../../src/contracts/deploy';
import type { Queryable } from '../../src/db/queryable';

/** A deploy as its row is while it runs. */
export const addDeploy = async (
  db: Queryable,
  { destination = `d${randomUUID().slice(0, 8)}`, version = 'staging-1a2b3c4' }: { destination?: string; version?: string } = {},
): Promise<string> => {
  const deployId = randomUUID();
  await db.query(
    `insert into yardmaster.deploy (deploy_id, service, destination, kind, version, resolved_version, strategy, actor, source, phase)
     values ($1, 'ghosthands', $2, 'deploy', $3, $3, $4, 'atm', 'rest', 'deploy')`,
    [deployId, destination, version, JSON.stringify(defaultStrategy)],
  );
  return deployId;
};

/** As the deployer's writer does it: one statement for lines and their numbers, then the number alone is notified. Answers the newest. */
export const appendLines = async (
  db: Queryable,
  deployId: string,
  lines: readonly string[],
  { stream = 'stdout' }: { stream?: LogStream } = {},
): Promise<number> => {
  const { rows } = await db.query<{ last_seq: string }>(
    `with counted as (
       update yardmaster.deploy set last_seq = last_seq + $2::int where deploy_id = $1::uuid returning deploy_id, last_seq
     ), written as (
       insert into yardmaster.deploy_log (deploy_id, seq, stream, line)
       select c.deploy_id, c.last_seq - $2::int + l.n, $4, l.line from counted c, unnest($3::text[]) with ordinality l (line, n)
     )
     select last_seq, pg_notify($5, deploy_id || ' ' || last_seq) from counted`,
    [deployId, lines.length, lines, stream, deployLogChannel],
  );
  return Number(rows[0]?.last_seq);
};

export const endDeploy = async (
  db: Queryable,
  deployId: string,
  outcome: DeployOutcome = 'succeeded',
  detail = 'as planned',
): Promise<void> => {
  await db.query(
    `with ended as (
       update yardmaster.deploy set outcome = $2, detail = $3, phase = 'done', ended_at = now() where deploy_id = $1::uuid returning deploy_id, last_seq
     ) select pg_notify($4, deploy_id || ' ' || last_seq) from ended`,
    [deployId, outcome, detail, deployLogChannel],
  );
};

export const storedLog = async (db: Queryable, deployId: string): Promise<Pick<DeployLogLine, 'seq' | 'line'>[]> => {
  const { rows } = await db.query<{ seq: string; line: string }>(
    `select seq, line from yardmaster.deploy_log where deploy_id = $1::uuid order by seq`,
    [deployId],
  );
  return rows.map(({ seq, line }) => ({ seq: Number(seq), line }));
};
