import type { DeployStrategy, InterruptedJob } from '../contracts/deploy';
import type { HumanKind, JobState } from '../contracts/job';

/** A job with an attempt at one of the hosts: it runs, waits for a person, or is about to be claimed. */
export interface JobOnHost extends InterruptedJob {
  state: string;
}

export type DrainVerdict =
  | { kind: 'drained' }
  | { kind: 'waits'; leftMs: number }
  | { kind: 'aborted'; detail: string }
  /** The deploy was told to go on over them. */
  | { kind: 'forced'; interrupted: InterruptedJob[] };

/** May the hosts be stopped? A job that was named as interrupted before is one no more. */
export const judgeDrain = ({
  jobs,
  interrupted,
  strategy,
  waitedMs,
}: {
  jobs: readonly JobOnHost[];
  interrupted: readonly InterruptedJob[];
  strategy: Pick<DeployStrategy, 'drainSeconds' | 'onDrainDeadline'>;
  waitedMs: number;
}): DrainVerdict => {
  const left = notNamed(jobs, interrupted);
  if (left.length === 0) return { kind: 'drained' };
  const leftMs = strategy.drainSeconds * 1_000 - waitedMs;
  if (leftMs > 0) return { kind: 'waits', leftMs };
  if (strategy.onDrainDeadline === 'force') return { kind: 'forced', interrupted: left.map(toInterrupted) };
  return {
    kind: 'aborted',
    detail: `${countJobs(left)} ${left.length === 1 ? 'was' : 'were'} still on the hosts after ${strategy.drainSeconds} s: ${nameSome(left)}`,
  };
};

/** Those that no earlier step has named as interrupted. */
export const notNamed = (jobs: readonly JobOnHost[], interrupted: readonly InterruptedJob[]): JobOnHost[] =>
  jobs.filter(({ attemptId }) => !interrupted.some((known) => known.attemptId === attemptId));

export const toInterrupted = ({ jobId, attemptId, workerId, host }: JobOnHost): InterruptedJob => ({ jobId, attemptId, workerId, host });

/** How a job on a host stands. */
export interface StandingJob {
  workerId: string;
  state: JobState;
  humanKind: HumanKind | null;
  /** The job is through with the attempt that its worker still has. */
  isOver: boolean;
}

/** After a review that a person resolved the process holds its browser for ever (ghosthands §5.5). */
export const describeStanding = ({ workerId, state, humanKind, isOver }: StandingJob): string =>
  `${state === 'waiting_human' ? `waiting_human (${humanKind ?? 'blocker'})` : state}${isOver ? `, but ${workerId} still has it: restart that worker` : ''}`;

/** For a person who wonders why it takes so long. */
export const describeDrain = (jobs: readonly JobOnHost[]): string =>
  jobs.length === 0 ? 'no job is left on the hosts' : `waits for ${countJobs(jobs)}: ${nameSome(jobs)}`;

const countJobs = ({ length }: readonly JobOnHost[]): string => `${length} ${length === 1 ? 'job' : 'jobs'}`;

const namesMax = 10;

const nameSome = (jobs: readonly JobOnHost[]): string =>
  jobs
    .slice(0, namesMax)
    .map(({ jobId, host, state }) => `${jobId} (${state}) on ${host}`)
    .join(', ') + (jobs.length > namesMax ? ` and ${jobs.length - namesMax} more` : '');
