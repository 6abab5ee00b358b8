import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Pool } from 'pg';
import { z } from 'zod';
import type { DeployRun } from './deploy-run';
import type { OwnProcess } from './orchestrator-process';
import { until } from './until';

/** What was done to our sessions, and what came of it. */
export interface SessionKills {
  /** Sessions that were ended in the middle of a transaction, by the process that had them. */
  inTransaction: Record<string, number>;
  /** Listeners and the deployer's lock, which rest between two words. */
  resting: number;
  /** Processes that ended meanwhile. */
  died: string[];
  /** Answers other than accepted, or away. */
  oddAnswers: number[];
  accepted: number;
  /** Accepted jobs that did not succeed. */
  unended: string[];
  deploys: (string | null)[];
}

/** The deployer needs its lock for longer than a moment to get anywhere. */
const sliceMs = 2_500;
/** Of a transaction that is seen, to be cut off: with more, nothing would get anywhere. */
const chance = 0.3;
const settleMs = 150_000;

/**
 * Ends sessions of all processes for a time, whatever they are in the middle of, as a failover or an operator does it, while jobs and deploys come in; then
 * lets everything go on to its end.
 */
export const runSessionKills = async (run: DeployRun, { forMs }: { forMs: number }): Promise<SessionKills> => {
  const processes = [run.gateway, ...run.orchestrators, ...run.deployers];
  const over = new AbortController();
  const died = new Set<string>();
  const watched = watchDeaths(processes, died, over.signal);
  const oddAnswers: number[] = [];
  // One is under way before the first session ends, however fast this machine accepts others.
  const first = await until(async () => await placeDeploy(run, 'v1', oddAnswers), { what: 'a deploy is accepted' });
  const [killed, jobIds, deployIds] = await Promise.all([
    endSessions(run.pool, forMs),
    submitJobs(run, forMs, oddAnswers),
    placeDeploys(run, forMs, oddAnswers, first),
  ]);
  // Without one of them nothing may come to an end.
  const timeoutMs = died.size > 0 ? 0 : settleMs;
  const unended = await settled(run.pool, jobIds, timeoutMs);
  const deploys = await Promise.all(deployIds.map(async (deployId) => await outcomeOf(run.pool, deployId, timeoutMs)));
  over.abort();
  await watched;
  return { ...killed, died: [...died], oddAnswers, accepted: jobIds.length, unended, deploys };
};

const endSessions = async (pool: Pool, forMs: number): Promise<Pick<SessionKills, 'inTransaction' | 'resting'>> => {
  await pool.query(endSessionsFunction);
  const inTransaction: Record<string, number> = {};
  let resting = 0;
  for (const end = Date.now() + forMs; Date.now() < end;) {
    const { rows } = await pool.query<{ name: string; ended: number; is_resting: boolean }>(
      `select name, count(*)::int as ended, name ~ '-(listen|lock)$' as is_resting from public.test_end_sessions($1, $2) as name group by name`,
      [sliceMs, chance],
    );
    for (const { name, ended, is_resting: isResting } of rows) {
      if (isResting) resting += ended;
      else inTransaction[name] = (inTransaction[name] ?? 0) + ended;
    }
  }
  return { inTransaction, resting };
};

/** In the server, since a transaction of ours is over in a few ms: whoever is in one every 2 ms has a chance to be ended, and at the end all that rest. */
const endSessionsFunction = `
create or replace function public.test_end_sessions(slice_ms int, chance float8) returns setof text language plpgsql as $$
declare
  victim record;
  until_at timestamptz := clock_timestamp() + slice_ms * interval '1 ms';
begin
  while clock_timestamp() < until_at loop
    perform pg_stat_clear_snapshot();
    for victim in select pid, application_name from pg_stat_activity
      where datname = current_database() and application_name ~ '^yardmaster-(gateway|orchestrator|deployer)(-(commands|sweep|assigner))?$' and xact_start is not null and random() < chance
    loop
      if pg_terminate_backend(victim.pid) then return next victim.application_name; end if;
    end loop;
    perform pg_sleep(0.002);
  end loop;
  for victim in select pid, application_name from pg_stat_activity
    where datname = current_database() and application_name ~ '^yardmaster-.*(listen|lock)$'
  loop
    if pg_terminate_backend(victim.pid) then return next victim.application_name; end if;
  end loop;
end $$`;

const jobSchema = z.object({ jobId: z.string() });

const submitJobs = async (run: DeployRun, forMs: number, oddAnswers: number[]): Promise<string[]> => {
  const jobIds: string[] = [];
  for (const end = Date.now() + forMs; Date.now() < end; await delay(150)) {
    const response = await post(run, '/v1/jobs', run.operatorKey, {
      userId: randomUUID(),
      targetUrl: 'https://sim.test/quick?ms=50',
      profile: { firstName: 'Ada', lastName: 'Lovelace', email: 'ada@example.com' },
      resume: { storagePath: 'resumes/ada.pdf' },
    });
    const body: unknown = await response.json();
    if (response.status <= 202) jobIds.push(jobSchema.parse(body).jobId);
    else if (response.status !== 503) oddAnswers.push(response.status);
  }
  return jobIds;
};

const deploySchema = z.object({ deployId: z.string() });

/** One after the other for one destination: a way there and back again. */
const placeDeploys = async (run: DeployRun, forMs: number, oddAnswers: number[], first: string): Promise<string[]> => {
  const deployIds = [first];
  for (const end = Date.now() + forMs; Date.now() < end; await delay(500)) {
    const deployId = await placeDeploy(run, deployIds.length % 2 === 0 ? 'v1' : 'v2', oddAnswers);
    if (deployId !== null) deployIds.push(deployId);
  }
  return deployIds;
};

const placeDeploy = async (run: DeployRun, version: string, oddAnswers: number[]): Promise<string | null> => {
  const strategy = { canaryHosts: 0, drainSeconds: 60 };
  const response = await post(run, '/v1/deploys', run.key, { destination: 'staging', version, strategy });
  const body: unknown = await response.json();
  if (response.status <= 202) return deploySchema.parse(body).deployId;
  // 409: the one before is under way.
  if (response.status !== 409 && response.status !== 503) oddAnswers.push(response.status);
  return null;
};

const post = async ({ gatewayUrl }: DeployRun, path: string, key: string, body: object): Promise<Response> =>
  await fetch(`${gatewayUrl}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': key },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(60_000),
  });

const settled = async (pool: Pool, jobIds: string[], timeoutMs: number): Promise<string[]> => {
  let open: string[] = [];
  const areDone = async (): Promise<boolean> => {
    const { rows } = await pool.query<{ told: string }>(
      `select job_id || ' ' || state || ' ' || coalesce(reason, '') as told from yardmaster.job where job_id = any($1::uuid[]) and state <> 'succeeded'`,
      [jobIds],
    );
    open = rows.map(({ told }) => told);
    return open.length === 0;
  };
  await until(areDone, { what: 'every accepted job has succeeded', timeoutMs, everyMs: 500 }).catch(() => undefined);
  return open;
};

const outcomeOf = async (pool: Pool, deployId: string, timeoutMs: number): Promise<string | null> =>
  await until(
    async () => {
      const { rows } = await pool.query<{ outcome: string | null }>(`select outcome from yardmaster.deploy where deploy_id = $1`, [
        deployId,
      ]);
      return rows[0]?.outcome;
    },
    { what: `deploy ${deployId} has ended`, timeoutMs, everyMs: 500 },
  ).catch(() => null);

const watchDeaths = async (processes: readonly OwnProcess[], died: Set<string>, over: AbortSignal): Promise<void> => {
  while (!over.aborted) {
    for (const each of processes) if (!each.isRunning()) died.add(each.name);
    await delay(50);
  }
};
