import type { Limits } from '../contracts/limits';
import type { OwnerProof } from './next-step';

/** What was seen of the process that claimed an attempt. */
export interface OwnerFacts {
  /** `refused`: the machine answers and nothing listens there; `silent`: no answer at all, which proves nothing. */
  port:
    | { kind: 'answers'; workerId: string; activeJobs: number; /** The earliest possible. */ processStartedAt: Date }
    | { kind: 'refused' }
    | { kind: 'silent' };
  /** Its cancel-listener backend; `unreadable` where we may not see other backends (ghosthands §7.2). */
  listener: 'present' | 'absent' | 'unreadable';
  /** Since when every probe has got the port's present answer; null when that is not known. */
  unchangedSince: Date | null;
  workerId: string;
  claimedAt: Date;
  /** The database's clock when the port was asked. */
  askedAt: Date;
  heartbeatAgeMs: number | null;
  /** The same answer one second earlier, so that the moment between claim and start is no proof. */
  wasIdleBefore: boolean;
}

export type OwnerLimits = Pick<Limits, 'ownerStartJitterMs' | 'attemptSilentMs' | 'portBoundMs'>;

/**
 * Is the process that claimed the attempt gone? A stale heartbeat is not death, and a missing listener alone is none either: it vanishes a
 * second before its process does, and workers without a direct URL never have one (ghosthands §7.3).
 */
export const proveOwner = (seen: OwnerFacts, limits: OwnerLimits): OwnerProof => {
  if (seen.listener === 'present') return 'alive';
  if (seen.port.kind === 'silent') return 'unknown';
  if (seen.port.kind === 'refused' || seen.port.workerId !== seen.workerId) {
    return seen.listener === 'absent' ? goneBy(seen, wasGoneBy(seen, limits), limits) : 'unknown';
  }
  const { processStartedAt, activeJobs } = seen.port;
  if (processStartedAt.getTime() > seen.claimedAt.getTime() + limits.ownerStartJitterMs) return goneBy(seen, processStartedAt, limits);
  // A zombie: the process lives, works on nothing, and nobody beats for the row (ghosthands §6.3).
  const isRowSilent = seen.heartbeatAgeMs === null || seen.heartbeatAgeMs > limits.attemptSilentMs;
  return activeJobs === 0 && seen.wasIdleBefore && isRowSilent ? 'idle' : 'alive';
};

/**
 * An examination may come long after the death, so the first probe that found the process gone counts, where it is one: a fresh process claims before
 * its port is bound (ghosthands §2.1), and is refused meanwhile.
 */
const wasGoneBy = ({ unchangedSince, claimedAt, askedAt }: OwnerFacts, { portBoundMs }: OwnerLimits): Date =>
  unchangedSince !== null && unchangedSince.getTime() > claimedAt.getTime() + portBoundMs && unchangedSince < askedAt
    ? unchangedSince
    : askedAt;

/**
 * A process that went on living for longer than a few beats without one had lost its way to write: PostgREST was away, and what its row does not
 * say proves nothing (ghosthands §5.6). `endedBy`: it was gone then at the latest.
 */
const goneBy = (seen: OwnerFacts, endedBy: Date, limits: Pick<Limits, 'attemptSilentMs'>): OwnerProof => {
  const beatAt = seen.heartbeatAgeMs === null ? seen.claimedAt.getTime() : seen.askedAt.getTime() - seen.heartbeatAgeMs;
  const lastSeenAt = Math.max(beatAt, seen.claimedAt.getTime());
  return endedBy.getTime() - lastSeenAt > limits.attemptSilentMs ? 'gone_in_silence' : 'gone';
};
