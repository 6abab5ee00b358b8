import type { Limits } from '../contracts/limits';
import type { OwnerProof } from './next-step';
import { judgeProcess, type ProcessEvidence } from './process-liveness';

/** What was seen of the process that claimed an attempt of a job under way; the moments are of the clock of its evidence. */
export interface OwnerFacts {
  process: ProcessEvidence & { ranAtMs: number; boundByMs: number };
  /** Since when every probe has got the port's present answer; null when that is not known. */
  unchangedSinceMs: number | null;
  heartbeatAgeMs: number | null;
  askedAtMs: number;
}

export type OwnerLimits = Pick<Limits, 'ownerStartJitterMs' | 'attemptSilentMs'>;

/** Is it over, and could it write until then? */
export const proveOwner = (seen: OwnerFacts, limits: OwnerLimits): OwnerProof => {
  const verdict = judgeProcess(seen.process, { jitterMs: limits.ownerStartJitterMs });
  if (verdict.is === 'gone') return couldWrite(seen, limits) ? 'gone' : 'gone_in_silence';
  // A zombie: the process lives, works on nothing, and nobody beats for the row (ghosthands §6.3).
  const isRowSilent = seen.heartbeatAgeMs === null || seen.heartbeatAgeMs > limits.attemptSilentMs;
  return verdict.is === 'idle' && !isRowSilent ? 'alive' : verdict.is;
};

/**
 * A process that went on living for longer than a few beats without one had lost its way to write: PostgREST was away, and what its row does not
 * say proves nothing (ghosthands §5.6).
 */
const couldWrite = (seen: OwnerFacts, limits: OwnerLimits): boolean => {
  const { ranAtMs } = seen.process;
  const beatAtMs = seen.heartbeatAgeMs === null ? ranAtMs : seen.askedAtMs - seen.heartbeatAgeMs;
  return goneByMs(seen) - Math.max(beatAtMs, ranAtMs) <= limits.attemptSilentMs;
};

/**
 * It was gone then at the latest. An examination may come long after the death, so the first probe that found the process gone counts, where it is one: a
 * fresh process claims before its port is bound (ghosthands §2.1), and is refused meanwhile.
 */
const goneByMs = ({ process, unchangedSinceMs, askedAtMs }: OwnerFacts): number => {
  const last = process.answers.at(-1);
  if (last?.kind === 'answers' && last.workerId === process.workerId) return last.startedAfterMs;
  const isKnown = unchangedSinceMs !== null && unchangedSinceMs > process.boundByMs && unchangedSinceMs < askedAtMs;
  return isKnown ? unchangedSinceMs : askedAtMs;
};
