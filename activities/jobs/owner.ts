import { setTimeout as sleep } from 'node:timers/promises';
import type { OwnerProof } from '../../src/domain/next-step';
import { proveOwner } from '../../src/domain/owner-proof';
import { readAttempt } from '../../src/db/attempts/attempts';
import { findJob } from '../../src/db/jobs/jobs';
import { findCancelListener } from '../../src/db/commands/cancel-listeners';
import { findUnchangedSince } from '../../src/db/fleet/workers';
import type { OrchestratorDeps } from '../deps';
import { readPort } from '../fleet/worker-port';

export const createOwnerActivities = ({ pool, log, limits, hosts }: OrchestratorDeps) => ({
  /** Looks twice, a second apart, at the process that claimed this attempt of the job: port, start time and listener. Changes nothing. */
  async examineOwner({ jobId, attemptId }: { jobId: string; attemptId: string | undefined }): Promise<OwnerProof> {
    const job = await findJob(pool, jobId);
    const attempt = job?.attempt;
    if (attempt?.attemptId !== attemptId || !attempt || attempt.claimedAt === null || attempt.host === null) return 'none';
    const first = await readPort(hosts, attempt.host);
    // A little more than the second that `idle` takes.
    await sleep(1_050);
    // The moments of rows are the database's, and a port answers an age: in our clock by the difference just now, a wrong clock on the host, or here, changes
    // nothing.
    const aheadMs = Date.now() - ((await findJob(pool, jobId))?.now ?? job.now).getTime();
    const claimedAtMs = attempt.claimedAt.getTime() + aheadMs;
    const second = await readPort(hosts, attempt.host);
    const listener = await findCancelListener(pool, attempt.attemptId);
    const answered = second.kind === 'answers' ? { workerId: second.workerId } : 'refused';
    const unchangedSince = await findUnchangedSince(pool, attempt.host, answered);
    const read = await readAttempt(pool, attempt.attemptId);
    const askedAtMs = Date.now();
    const proof = proveOwner(
      {
        process: {
          workerId: attempt.workerId,
          ranAtMs: claimedAtMs,
          boundByMs: claimedAtMs + limits.portBoundMs,
          before: null,
          answers: [first, second],
          listener,
          isAddressCurrent: false,
        },
        unchangedSinceMs: unchangedSince === null ? null : unchangedSince.getTime() + aheadMs,
        heartbeatAgeMs: read.kind === 'seen' ? read.seen.heartbeatAgeMs : null,
        askedAtMs,
      },
      limits,
    );
    log.info('The owner of an attempt is examined', {
      jobId,
      attemptId: attempt.attemptId,
      workerId: attempt.workerId,
      proof,
      port: second.kind,
      listener,
    });
    return proof;
  },
});

export type OwnerActivities = ReturnType<typeof createOwnerActivities>;
