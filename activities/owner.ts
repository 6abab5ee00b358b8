import { setTimeout as sleep } from 'node:timers/promises';
import { proveOwner } from '../src/domain/owner-proof';
import type { OwnerProof } from '../src/domain/next-step';
import { readAttempt } from '../src/db/attempts';
import { findJob } from '../src/db/jobs';
import { findCancelListener } from '../src/db/cancel-listeners';
import { findUnchangedSince } from '../src/db/workers';
import type { OrchestratorDeps, WorkerPortAnswer } from './deps';

export const createOwnerActivities = ({ pool, log, limits, hosts }: OrchestratorDeps) => ({
  /** Looks twice, a second apart, at the process that claimed this attempt of the job: port, start time and listener. Changes nothing. */
  async examineOwner({ jobId, attemptId }: { jobId: string; attemptId: string | undefined }): Promise<OwnerProof> {
    const job = await findJob(pool, jobId);
    const attempt = job?.attempt;
    if (attempt?.attemptId !== attemptId || !attempt || attempt.claimedAt === null || attempt.host === null) return 'none';
    const first = await hosts.readWorkerPort(attempt.host);
    await sleep(1_000);
    // Before the question, so that the start that follows from the answer's uptime is the earliest possible, however slow host or database are.
    const askedAt = (await findJob(pool, jobId))?.now ?? job.now;
    const second = await hosts.readWorkerPort(attempt.host);
    const listener = await findCancelListener(pool, attempt.attemptId);
    const unchangedSince = await findUnchangedSince(
      pool,
      attempt.host,
      second.kind === 'answers' ? { workerId: second.status.worker_id } : 'refused',
    );
    const read = await readAttempt(pool, attempt.attemptId);
    const proof = proveOwner(
      {
        port: portOf(second, askedAt),
        listener,
        unchangedSince,
        workerId: attempt.workerId,
        claimedAt: attempt.claimedAt,
        askedAt,
        heartbeatAgeMs: read.kind === 'seen' ? read.seen.heartbeatAgeMs : null,
        wasIdleBefore: first.kind === 'answers' && first.status.active_jobs === 0,
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

const portOf = (answer: WorkerPortAnswer, askedAt: Date): Parameters<typeof proveOwner>[0]['port'] =>
  answer.kind === 'answers'
    ? {
        kind: 'answers',
        workerId: answer.status.worker_id,
        activeJobs: answer.status.active_jobs,
        // The database's clock, which also stamped the claim: a wrong clock on the host, or on ours, changes nothing.
        processStartedAt: new Date(askedAt.getTime() - answer.status.uptime_ms),
      }
    : { kind: answer.kind };
