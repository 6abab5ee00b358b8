import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import type { Pool } from 'pg';
import { makeApplyJobId, workerCleanupScheduleId } from '../../src/contracts/ids';
import { resolveSignal, retrySignal } from '../../src/contracts/messages';
import type { ControlPlane } from './control-plane';
import type { JobKind } from './job-mix';
import type { OwnProcess } from './orchestrator-process';
import type { SeededRandom } from './seeded-random';
import { until } from './until';

export interface Load {
  pool: Pool;
  client: Client;
  plane: ControlPlane;
  random: SeededRandom;
  /** When a pass of the sweep was last asked for. */
  sweptAt?: number;
}

export interface SubmittedJob {
  jobId: string;
  kind: JobKind;
  status: number;
  /** How long the answer took. */
  sentMs: number;
}

/** Submits the jobs one after the other, spread over a time. */
export const submitJobs = async (
  { plane, random }: Load,
  kinds: readonly JobKind[],
  { overMs }: { overMs: number },
): Promise<SubmittedJob[]> => {
  const submitted: SubmittedJob[] = [];
  const gapMs = Math.floor((2 * overMs) / kinds.length);
  const startedAt = Date.now();
  for (const [index, kind] of kinds.entries()) {
    const { status, jobId, sentMs } = await plane.submit(`https://sim.test${kind.path}`);
    submitted.push({ jobId, kind, status, sentMs });
    // A slow answer is made up for, so that the load lasts as long as it was meant to.
    const isBehind = Date.now() - startedAt > (overMs * index) / kinds.length + gapMs;
    if (!isBehind) await delay(random.between(0, gapMs));
  }
  return submitted;
};

/**
 * SIGKILLs processes at random moments and starts each again a moment later, `kills` times. Mostly those that are up, however long that takes on
 * a busy machine; now and then one in the middle of its start. What was killed last runs again at the end.
 */
export const killAtRandom = async (
  processes: readonly OwnProcess[],
  random: SeededRandom,
  { kills, everyMs }: { kills: number; everyMs: [number, number] },
): Promise<number> => {
  const restarts: Promise<void>[] = [];
  let killed = 0;
  while (killed < kills) {
    await delay(random.between(...everyMs));
    const isUp = await Promise.all(processes.map(async (each) => await each.isUp()));
    const mayDie = random.chance(0.1) ? processes.filter((each) => each.isRunning()) : processes.filter((_each, index) => isUp[index]);
    if (mayDie.length === 0) continue;
    const victim = random.pick(mayDie);
    const downMs = random.between(0, 1_500);
    await victim.kill();
    killed++;
    restarts.push(delay(downMs).then(async () => await victim.start()));
  }
  await Promise.all(restarts);
  return killed;
};

/** Waits until every job rests where nobody but a person moves it. A pass of the sweep is asked for now and then, beside the scheduled ones. */
export const untilAllRest = async (load: Load, { timeoutMs }: { timeoutMs: number }): Promise<void> => {
  await until(
    async () => {
      const moving = await listJobs(load.pool, `ended_at is null and state <> 'uncertain'`);
      if (moving.length > 0) await sweepSoon(load);
      if (moving.length > 0) throw new Error(`${moving.length} move: ${moving.slice(0, 5).map(describe).join('; ')}`);
      return true;
    },
    { what: 'every job has ended or waits for a person', timeoutMs, everyMs: 1_000 },
  );
};

/** Speaks for a person: most uncertain jobs are resolved, a few are tried again, until none is left. */
export const resolveUncertain = async (
  load: Load,
  { timeoutMs }: { timeoutMs: number },
): Promise<{ resolved: number; retried: number }> => {
  const { client, pool, random } = load;
  const sent = new Map<string, 'resolve' | 'retry'>();
  await until(
    async () => {
      const open = await listJobs(pool, 'ended_at is null');
      for (const { jobId, generation, state } of open.filter((job) => job.state === 'uncertain')) {
        const life = `${jobId}/${generation}`;
        // One retry a job at most, and the same signal again when its workflow did not get it.
        const signal = sent.get(life) ?? (generation === 1 && random.chance(0.3) ? 'retry' : 'resolve');
        const handle = client.workflow.getHandle(makeApplyJobId({ jobId }));
        if (signal === 'retry') await handle.signal(retrySignal, { confirm: true, actor: 'test' });
        else await handle.signal(resolveSignal, { submitted: random.chance(0.5), actor: 'test', note: `was ${state}` });
        sent.set(life, signal);
      }
      if (open.length > 0) await sweepSoon(load);
      if (open.length > 0) throw new Error(`${open.length} are open: ${open.slice(0, 5).map(describe).join('; ')}`);
      return true;
    },
    { what: 'every job has ended', timeoutMs, everyMs: 1_000 },
  );
  const signals = [...sent.values()];
  return {
    resolved: signals.filter((signal) => signal === 'resolve').length,
    retried: signals.filter((signal) => signal === 'retry').length,
  };
};

/** After the last end: callbacks are settled, workflows are closed, and no copy of personal data is left in an ended attempt. */
export const untilAllIsQuiet = async (load: Load, { timeoutMs }: { timeoutMs: number }): Promise<void> => {
  const { pool, client } = load;
  await until(
    async () => {
      const { rows } = await pool.query<{ callbacks: number; copies: number }>(
        `select (select count(*)::int from yardmaster.callback where settled_at is null) as callbacks,
           (select count(*)::int from yardmaster.attempt a join yardmaster.job j using (job_id)
             where a.ended_at is not null and a.erased_at is null and j.ended_at is not null) as copies`,
      );
      const { count } = await client.workflow.count(`ExecutionStatus = 'Running' and WorkflowType <> 'workerCleanup'`);
      const left = { ...rows[0], workflows: count };
      if (Object.values(left).every((each) => each === 0)) return true;
      await sweepSoon(load);
      throw new Error(JSON.stringify(left));
    },
    { what: 'everything is delivered and closed', timeoutMs, everyMs: 1_000 },
  );
};

/** Apply-jobs whose workflow did not complete: a person would have to look at each. */
export const countFailedWorkflows = async (client: Client): Promise<number> =>
  (await client.workflow.count(`WorkflowType = 'applyJob' and ExecutionStatus in ('Failed', 'Terminated', 'TimedOut', 'Canceled')`)).count;

/** Passes of the sweep beside the scheduled ones, every 4 s at most: each wakes every job that it finds, which costs more than it brings. */
const sweepSoon = async (load: Load): Promise<void> => {
  if (Date.now() - (load.sweptAt ?? 0) < 4_000) return;
  load.sweptAt = Date.now();
  await load.client.schedule
    .getHandle(workerCleanupScheduleId)
    .trigger()
    // The schedule itself sweeps every 10 s; before the first orchestrator is up there is none.
    .catch(() => undefined);
};

interface OpenJob {
  jobId: string;
  generation: number;
  state: string;
  reason: string;
}

const listJobs = async (pool: Pool, condition: string): Promise<OpenJob[]> =>
  (
    await pool.query<OpenJob>(
      `select job_id as "jobId", generation, state, reason from yardmaster.job where ${condition} order by accepted_at`,
    )
  ).rows;

const describe = ({ jobId, state, reason }: OpenJob): string => `${jobId} ${state} (${reason})`;
