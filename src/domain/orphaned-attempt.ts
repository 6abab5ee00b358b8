import type { Limits } from '../contracts/limits';
import { isWrittenByOthers } from './attempt-finding';
import type { AttemptPort } from './attempt-sweep';

/** An attempt that its job has left behind: the job has ended, or means another one. It keeps its worker from jobs, and its job from others. */
export interface OrphanedAttempt {
  attemptId: string;
  jobId: string;
  workerId: string;
  /** Since its claim, or since it was made; by the database's clock. */
  ageMs: number;
  /** Null: the row of the attempt is gone. */
  row: { status: string; errorCode: string | null; heartbeatAgeMs: number | null; isCompletedByOthers: boolean } | null;
  /** What its host's worker port said at the last probe; null when nobody asked lately. */
  port: AttemptPort | null;
  /** From the claim to the first of the probes that have all got the port's present answer; null when that is not known. */
  unchangedAfterMs: number | null;
  /** Its cancel-listener backend; `unreadable` where we may not see other backends (ghosthands §7.2). */
  listener: 'present' | 'absent' | 'unreadable';
}

export type OrphanedEnd = 'completed' | 'failed' | 'lost';

export type OrphanedLimits = Pick<Limits, 'attemptSilentMs' | 'portBoundMs' | 'orphanedSilentMs'>;

/** How it ended; null while its process may still work on it. Nothing depends on whether it submitted: its job has had its end. */
export const endOfOrphaned = (attempt: OrphanedAttempt, limits: OrphanedLimits): OrphanedEnd | null => {
  const { row, listener, port, workerId, unchangedAfterMs, ageMs } = attempt;
  if (row?.status === 'completed' && !row.isCompletedByOthers) return 'completed';
  if (row?.status === 'failed' && !isWrittenByOthers(row.errorCode)) return 'failed';
  if (listener === 'present') return null;
  const silentMs = Math.min(ageMs, row?.heartbeatAgeMs ?? ageMs);
  if (port?.kind === 'answers' && port.workerId === workerId) {
    // The process that claimed is gone, or works on nothing, and nobody beats for the row.
    return port.hasRestarted || (port.activeJobs === 0 && silentMs > limits.attemptSilentMs) ? 'lost' : null;
  }
  // Workers without a direct URL have no listener, so that its absence alone proves nothing (ghosthands §7.3).
  if (listener === 'unreadable') return null;
  if (port?.kind === 'answers' || port?.kind === 'refused') return (unchangedAfterMs ?? 0) > limits.portBoundMs ? 'lost' : null;
  return silentMs > limits.orphanedSilentMs ? 'lost' : null;
};
