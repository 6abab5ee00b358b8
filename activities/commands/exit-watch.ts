import { setTimeout as sleep } from 'node:timers/promises';
import { findClaim } from '../../src/db/attempts/attempts';
import { findCancelListener } from '../../src/db/commands/cancel-listeners';
import { judgeProcess, type PortAnswer, type ProcessEvidence } from '../../src/domain/process-liveness';
import type { OrchestratorDeps } from '../deps';
import { readPort } from '../fleet/worker-port';

/** `gone`: another process or none; `idle`: the process is through with the attempt. */
export type ExitProof = 'gone' | 'idle' | null;

/**
 * Where an attempt was claimed, and by our clock when, and when its process must have its port; nulls where nobody knows. Made of an age of the database's at
 * once, so that no two clocks are compared and nothing that comes in between makes it younger.
 */
export const readClaim = async (
  { pool, limits }: Pick<OrchestratorDeps, 'pool' | 'limits'>,
  attemptId: string,
): Promise<{ host: string | null } & Pick<Watched, 'ranAtMs' | 'boundByMs'>> => {
  const { host, claimedAgeMs } = await findClaim(pool, attemptId);
  const ranAtMs = claimedAgeMs === null ? null : Date.now() - claimedAgeMs;
  return { host, ranAtMs, boundByMs: ranAtMs === null ? null : ranAtMs + limits.portBoundMs };
};

/** What is watched for its end, and what is known of it. */
export interface Watched extends Pick<ProcessEvidence, 'workerId' | 'ranAtMs' | 'boundByMs' | 'before' | 'isAddressCurrent'> {
  /** Null: the process has no attempt of ours. */
  attemptId: string | null;
  isEnding: boolean;
}

/**
 * Watches a process that is to end until that is proven. GH exits 1.0 s after its listener ended, and its container is back about a second later: probed
 * often enough to see the gap.
 */
export const watchExit = async (
  { pool, limits, hosts }: Pick<OrchestratorDeps, 'pool' | 'limits' | 'hosts'>,
  host: string,
  { attemptId, isEnding, ...known }: Watched,
): Promise<ExitProof> => {
  const answers: PortAnswer[] = [];
  const deadline = Date.now() + (isEnding ? limits.exitProofMs : limits.exitProofMs / 4);
  for (;;) {
    const answer = await readPort(hosts, host);
    answers.push(answer);
    const { is } = judgeProcess({ ...known, answers, listener: 'unreadable' }, { jitterMs: limits.processStartJitterMs / 2 });
    const isProven = is === 'gone' || is === 'idle';
    if (isProven && (attemptId === null || (await findCancelListener(pool, attemptId)) !== 'present')) return is;
    // What is being ended is asked once more when its port must be bound, however late that comes: nothing is proven before.
    const isTooEarly = isEnding && known.boundByMs !== null && answer.atMs <= known.boundByMs;
    if (Date.now() >= deadline && !isTooEarly) return null;
    await sleep(limits.exitProbeEveryMs);
  }
};
