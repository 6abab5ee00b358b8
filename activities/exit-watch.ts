import { setTimeout as sleep } from 'node:timers/promises';
import { findCancelListener } from '../src/db/cancel-listeners';
import { provesExit, type PortSnapshot } from '../src/domain/exit-proof';
import type { OrchestratorDeps } from './deps';

/** `gone`: another process or none; `idle`: the process is through with the attempt. */
export type ExitProof = 'gone' | 'idle' | null;

/** What is watched for its end, and what is known of it. */
export interface Watched {
  workerId: string;
  /** Null: the process has no attempt of ours. */
  attemptId: string | null;
  /** By our clock; a process that started later is another one. */
  claimedAtMs: number | null;
  isAddressCurrent: boolean;
  isEnding: boolean;
}

/** Probes a worker's port once, or watches one whose process is to end until that is proven. */
export const createExitWatch = ({ pool, limits, hosts }: Pick<OrchestratorDeps, 'pool' | 'limits' | 'hosts'>) => {
  /**
   * An answer was given somewhere between question and arrival, and so its uptime gives an earliest and a latest start. The process before gets the
   * latest and later ones the earliest, so that a slow answer of the same process never looks like another process.
   */
  const probePort = async (host: string, start: 'earliest' | 'latest'): Promise<PortSnapshot> => {
    const askedAtMs = Date.now();
    const answer = await hosts.readWorkerPort(host);
    if (answer.kind !== 'answers') return { kind: answer.kind };
    const { worker_id: workerId, active_jobs: activeJobs, uptime_ms: uptimeMs } = answer.status;
    const processStartedAtMs = (start === 'earliest' ? askedAtMs : Date.now()) - uptimeMs;
    return { kind: 'answers', workerId, activeJobs, processStartedAtMs, atMs: Date.now() };
  };

  /** GH exits 1.0 s after its listener ended, and its container is back about a second later: probed often enough to see the gap. */
  const watchExit = async (
    host: string,
    before: PortSnapshot,
    { workerId, attemptId, claimedAtMs, isAddressCurrent, isEnding }: Watched,
  ): Promise<ExitProof> => {
    const probes: PortSnapshot[] = [];
    const deadline = Date.now() + (isEnding ? limits.exitProofMs : limits.exitProofMs / 4);
    do {
      probes.push(await probePort(host, 'earliest'));
      const proof = provesExit(before, probes, { workerId, claimedAtMs, isAddressCurrent, jitterMs: limits.processStartJitterMs / 2 });
      if (proof !== null && (attemptId === null || (await findCancelListener(pool, attemptId)) !== 'present')) return proof;
      await sleep(limits.exitProbeEveryMs);
    } while (Date.now() < deadline);
    return null;
  };

  return { probePort, watchExit };
};
