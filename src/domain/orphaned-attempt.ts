import type { Limits } from '../contracts/limits';
import { isWrittenByOthers } from './attempt-finding';
import { judgeProcess, type ListenerSight, type PortAnswer } from './process-liveness';

/** An attempt that its job has left behind: the job has ended, or means another one. It keeps its worker from jobs, and its job from others. */
export interface OrphanedAttempt {
  attemptId: string;
  jobId: string;
  workerId: string;
  /** Of its claim, or of its making, and the present one; by the clock of `port`. */
  begunAtMs: number;
  nowMs: number;
  /** Null: the row of the attempt is gone. */
  row: { status: string; errorCode: string | null; heartbeatAgeMs: number | null; isCompletedByOthers: boolean } | null;
  /** What its host's worker port said at the last probe since; null when nobody asked lately. */
  port: PortAnswer | null;
  /** The first of the probes that have all got the port's present answer; null when that is not known. */
  unchangedSinceMs: number | null;
  listener: ListenerSight;
}

export type OrphanedEnd = 'completed' | 'failed' | 'lost';

export type OrphanedLimits = Pick<
  Limits,
  'attemptSilentMs' | 'orphanedSilentMs' | 'ownerStartJitterMs' | 'portBoundMs' | 'probingMs' | 'probeTimeoutMs'
>;

/** How it ended; null while its process may still work on it. Nothing depends on whether it submitted: its job has had its end. */
export const endOfOrphaned = (attempt: OrphanedAttempt, limits: OrphanedLimits): OrphanedEnd | null => {
  const { row, listener, port, workerId, unchangedSinceMs, begunAtMs, nowMs } = attempt;
  if (row?.status === 'completed' && !row.isCompletedByOthers) return 'completed';
  if (row?.status === 'failed' && !isWrittenByOthers(row.errorCode)) return 'failed';
  const ageMs = nowMs - begunAtMs;
  const silentMs = Math.min(ageMs, row?.heartbeatAgeMs ?? ageMs);
  const { because } = judgeProcess(
    {
      workerId,
      ranAtMs: begunAtMs,
      // An answer is written down when all hosts were asked.
      boundByMs: begunAtMs + limits.portBoundMs + limits.probingMs + limits.probeTimeoutMs,
      before: null,
      answers: port === null ? [] : [port],
      listener,
      isAddressCurrent: false,
    },
    { jitterMs: limits.ownerStartJitterMs },
  );
  switch (because) {
    case 'it started again':
      return 'lost';
    case 'its port refuses':
    case 'another worker answers':
      // What was so before its claim already says nothing of it.
      return unchangedSinceMs !== null && unchangedSinceMs > begunAtMs ? 'lost' : null;
    case 'it answers':
    case 'it works on nothing':
      // … and nobody beats for the row.
      return port?.kind === 'answers' && port.activeJobs === 0 && silentMs > limits.attemptSilentMs ? 'lost' : null;
    case 'its port is silent':
      return listener === 'absent' && silentMs > limits.orphanedSilentMs ? 'lost' : null;
    case 'it listens':
    case 'it may be elsewhere':
    case 'it may not have its port yet':
      return null;
  }
};
