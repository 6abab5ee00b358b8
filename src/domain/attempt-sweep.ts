import type { HumanKind, JobState } from '../contracts/job';
import type { Limits } from '../contracts/limits';
import type { SweepItem } from '../contracts/sweep';
import { whoAnswers, type PortAnswer } from './process-liveness';

/** An attempt that has not ended, with all that is seen of its worker. Ages are the database's. */
export interface LiveAttempt {
  attemptId: string;
  jobId: string;
  /** The job still means this attempt. */
  isCurrent: boolean;
  jobState: JobState;
  humanKind: HumanKind | null;
  isOwnerInDoubt: boolean;
  jobTouchedAgeMs: number;
  /** The worker that our record names; it was meant for it, until another one claimed. */
  workerId: string;
  host: string | null;
  /** By the clock of `port`; null: nobody has claimed it. */
  claimedAtMs: number | null;
  /** Null: the row of the attempt is gone. */
  row: { status: string; claimedBy: string | null; heartbeatAgeMs: number | null } | null;
  /** Null: no such worker is registered. */
  registryStatus: string | null;
  /** What its host's worker port said since the claim; null when nobody asked lately. */
  port: PortAnswer | null;
  /** Since another answer came from there, or another process; null when that is not known. */
  portChangedAgeMs: number | null;
  /** Processes that listen for its cancel. */
  listeners: number;
}

export interface AttemptDecision {
  /** Its workflow looks at the worker itself: nothing here is a proof. */
  examine: { jobId: string; finding: ExamineFinding }[];
  /** Claimed by another worker than our record says. */
  reowned: { attemptId: string; jobId: string; from: string; to: string }[];
  findings: SweepItem[];
}
export type ExamineFinding = 'worker_changed' | 'worker_gone' | 'zombie_attempt' | 'silent_attempt';

export type AttemptLimits = Pick<Limits, 'attemptSilentMs' | 'ownerStartJitterMs' | 'restRecheckMs'>;

/** What the live attempts say about their workers. A refused port, a silent row or an offline worker is a reason to examine, never a verdict. */
export const sweepAttempts = (attempts: readonly LiveAttempt[], limits: AttemptLimits): AttemptDecision => {
  const decision: AttemptDecision = { examine: [], reowned: [], findings: [] };
  for (const attempt of attempts) {
    const { attemptId, jobId, listeners, row, workerId } = attempt;
    if (listeners > 1)
      decision.findings.push({ finding: 'several_listeners', subject: attemptId, detail: `${listeners} processes listen` });
    if (row !== null && row.claimedBy !== null && row.claimedBy !== workerId) {
      decision.reowned.push({ attemptId, jobId, from: workerId, to: row.claimedBy });
      // The next pass sees it with its real worker.
      continue;
    }
    const finding = doubt(attempt, limits);
    if (finding !== null) decision.examine.push({ jobId, finding });
  }
  return decision;
};

const doubt = (
  attempt: LiveAttempt,
  { attemptSilentMs, ownerStartJitterMs: jitterMs, restRecheckMs }: AttemptLimits,
): ExamineFinding | null => {
  const { claimedAtMs, isCurrent, isOwnerInDoubt, jobState, jobTouchedAgeMs, port, portChangedAgeMs, registryStatus, row, workerId } =
    attempt;
  if (!isCurrent || claimedAtMs === null) return null;
  const isUnderWay = jobState === 'running' || jobState === 'waiting_human';
  // An uncertain job that keeps its worker is examined for the late proof.
  if (!isUnderWay && jobState !== 'uncertain') return null;
  // A job that rests is examined when there is news since the last time: without any, what could not be proven then cannot be now, for days.
  const isDue = (newsAgeMs: number | null): boolean =>
    jobState === 'running' || jobTouchedAgeMs > restRecheckMs || (newsAgeMs !== null && jobTouchedAgeMs > newsAgeMs);
  const who = whoAnswers(port, { workerId, ranAtMs: claimedAtMs, jitterMs });
  if (who !== null && who !== 'itself') return isDue(portChangedAgeMs) ? 'worker_changed' : null;
  // Its workflow has a doubt already, and looks again by itself.
  if (!isUnderWay || isOwnerInDoubt) return null;
  const isSilent = row === null || (row.heartbeatAgeMs !== null && row.heartbeatAgeMs > attemptSilentMs);
  if (isSilent) {
    const newsAgeMs = row === null ? 0 : (row.heartbeatAgeMs ?? 0) - attemptSilentMs;
    if (!isDue(newsAgeMs)) return null;
    return port?.kind === 'answers' && port.activeJobs === 0 ? 'zombie_attempt' : 'silent_attempt';
  }
  return (registryStatus === null || registryStatus === 'offline') && isDue(null) ? 'worker_gone' : null;
};
