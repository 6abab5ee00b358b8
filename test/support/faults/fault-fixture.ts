import type { Client } from '@temporalio/client';
import type { Pool } from 'pg';
import { makeApplyJobId, workerCleanupScheduleId } from '../../../src/contracts/ids';
import type { JobState } from '../../../src/contracts/job';
import { limits } from '../../../src/contracts/limits';
import { resolveSignal } from '../../../src/contracts/messages';
import { findWorker } from '../../../src/db/fleet/fleet';
import type { SimulatedHost } from '../../../dev/gh/simulated-host';
import type { SubmissionEntry, SubmissionEvent } from '../../../dev/gh/submissions-log';
import type { ControlPlane } from '../control-plane';
import type { DatabaseGate } from '../database-gate';
import { until } from '../until';

/** What a fault is injected into: the real processes, the simulated machines, and a person who looks at rows. */
export interface FaultFixture {
  pool: Pool;
  client: Client;
  plane: ControlPlane;
  /** Between our processes and Postgres; GH's have their own way. */
  gate: DatabaseGate;
}

/** Every wait for a recovery: far beyond what is promised, since the figure is what is judged. */
const recoverWithinMs = 180_000;

/** A browser that takes ten minutes the first time: its form is still closed whatever happens, so another worker may have it. */
export const beforeForm = '/slow-start?startMs=600000&times=1&ms=300';
export const withFormOpen = '/quick?ms=280000';

export const eventsOf = ({ plane }: FaultFixture, jobId: string, event?: SubmissionEvent): SubmissionEntry[] =>
  plane.simulator.log().filter((entry) => entry.jobId === jobId && (event === undefined || entry.event === event));

export const untilEvent = async (
  fixture: FaultFixture,
  jobId: string,
  event: SubmissionEvent,
  { after = 0 }: { after?: number } = {},
): Promise<SubmissionEntry> =>
  await until(() => eventsOf(fixture, jobId, event).find(({ seq }) => seq > after), {
    what: `job ${jobId} has ${event}`,
    timeoutMs: recoverWithinMs,
  });

/** A job that runs at this host; elsewhere only when the host is no more. */
export const startJobAt = async (
  fixture: FaultFixture,
  host: SimulatedHost,
  path: string,
  { affinity = 'preferred', at = 'started' }: { affinity?: 'preferred' | 'strict'; at?: SubmissionEvent } = {},
): Promise<{ jobId: string; seq: number }> => {
  await untilIdle(fixture, host);
  const { jobId } = await fixture.plane.submit(`https://sim.test${path}`, { worker: { id: host.workerId, affinity } });
  const { workerId } = await untilEvent(fixture, jobId, at);
  if (workerId !== host.workerId) throw new Error(`job ${jobId} was to run at ${host.workerId}, and runs at ${workerId}`);
  return { jobId, seq: fixture.plane.simulator.log().length };
};

export const untilIdle = async ({ pool }: FaultFixture, { workerId }: SimulatedHost): Promise<void> => {
  await until(async () => (await findWorker(pool, limits, workerId))?.condition === 'idle', {
    what: `${workerId} is idle`,
    timeoutMs: recoverWithinMs,
    everyMs: 200,
  });
};

export const untilState = async ({ pool }: FaultFixture, jobId: string, states: JobState | JobState[]): Promise<JobState> => {
  const wanted = [states].flat();
  let state: JobState | undefined;
  await until(
    async () => {
      const { rows } = await pool.query<{ state: JobState }>(`select state from yardmaster.job where job_id = $1`, [jobId]);
      state = rows[0]?.state;
      if (state === undefined || !wanted.includes(state)) throw new Error(`it is ${state}`);
      return true;
    },
    { what: `job ${jobId} is ${wanted.join(' or ')}`, timeoutMs: recoverWithinMs, everyMs: 100 },
  );
  return state ?? 'accepted';
};

export const untilOffline = async ({ pool }: FaultFixture, workerId: string): Promise<void> => {
  await until(
    async () => (await pool.query(`select from gh_worker_registry where worker_id = $1 and status = 'offline'`, [workerId])).rowCount === 1,
    { what: `${workerId} is offline in the registry`, timeoutMs: recoverWithinMs, everyMs: 200 },
  );
};

/** Lets minutes pass for the rows of a worker that is silent, and of what it runs: its own last words grow old, no rule grows shorter. */
export const age = async ({ pool }: FaultFixture, workerId: string, minutes: number): Promise<void> => {
  const passed = `${minutes} min`;
  await pool.query(`update gh_worker_registry set last_heartbeat = last_heartbeat - $2::interval where worker_id = $1`, [workerId, passed]);
  await pool.query(
    `update gh_automation_jobs g set last_heartbeat = g.last_heartbeat - $2::interval
     from yardmaster.attempt a where a.attempt_id = g.id and a.worker_id = $1 and a.ended_at is null`,
    [workerId, passed],
  );
};

/** The attempt's own time is over by now. */
export const ageDeadline = async ({ pool }: FaultFixture, jobId: string): Promise<void> => {
  await until(
    async () =>
      // What is assigned has the deadline of its claim: that of the attempt comes with `running`.
      (
        await pool.query(`update yardmaster.job set deadline_at = now() - interval '1 min' where job_id = $1 and state = 'running'`, [
          jobId,
        ])
      ).rowCount === 1,
    { what: `job ${jobId} is known to run` },
  );
};

/** What a keepalive does to the sessions of a machine that is gone: the server gives them up, and nobody there hears of it. */
export const endSessionsOf = async ({ pool }: FaultFixture, jobId: string): Promise<void> => {
  await pool.query(
    `select pg_terminate_backend(pid) from pg_stat_activity s join yardmaster.attempt a on s.query = 'LISTEN "gh_job_cancel_' || a.attempt_id || '"'
     where a.job_id = $1 and s.datname = current_database()`,
    [jobId],
  );
};

/** The person who looked at the posting. */
export const resolve = async (fixture: FaultFixture, jobId: string): Promise<void> => {
  await until(
    async () => {
      await fixture.client.workflow
        .getHandle(makeApplyJobId({ jobId }))
        .signal(resolveSignal, { submitted: true, actor: 'test', note: 'seen in the portal' });
      return await untilSettled(fixture, jobId);
    },
    { what: `job ${jobId} is resolved`, timeoutMs: recoverWithinMs, everyMs: 500 },
  );
};

const untilSettled = async ({ pool }: FaultFixture, jobId: string): Promise<boolean> =>
  await until(
    async () => (await pool.query(`select from yardmaster.job where job_id = $1 and ended_at is not null`, [jobId])).rowCount === 1,
    {
      what: 'it has ended',
      timeoutMs: 5_000,
    },
  );

export const triggerSweep = async ({ client }: FaultFixture): Promise<void> =>
  await client.schedule.getHandle(workerCleanupScheduleId).trigger();

/** Ends when a pass that began after `atMs` has been reported; answers when. */
export const untilPassAfter = async ({ pool }: FaultFixture, atMs: number): Promise<number> =>
  await until(
    async () => {
      const { rows } = await pool.query<{ at: Date }>(
        `select min(ended_at) as at from yardmaster.sweep_report where not is_dry_run and started_at > $1::timestamptz having count(*) > 0`,
        [new Date(atMs)],
      );
      return rows[0]?.at.getTime();
    },
    { what: 'a pass is reported', timeoutMs: recoverWithinMs, everyMs: 100 },
  );
