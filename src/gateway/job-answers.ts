import type { FleetPause } from '../db/fleet/holds';
import type { JobDetails, JobSummary } from '../db/jobs/job-reads';
import type { WorkerCondition, WorkerCounts } from '../db/fleet/worker-counts';
import type { WorkerToRestart } from './left-workers';
import { withoutUrlSecrets } from '../domain/url-secrets';

/** Dates become ISO text when the answer is written as JSON. */
export const fleetAnswer = (pause: FleetPause | null): object => ({ isPaused: pause !== null, pause });

export const pageAnswer = (
  jobs: readonly JobSummary[],
  nextCursor: string | null,
  pause: FleetPause | null,
  workersToRestart: readonly WorkerToRestart[] | null,
): object => ({
  jobs,
  nextCursor,
  fleet: fleetAnswer(pause),
  ...(workersToRestart === null ? {} : { workersToRestart }),
});

export interface Waiting {
  counts: WorkerCounts;
  wanted: WorkerCondition | null;
}

export const jobAnswer = (job: JobDetails, waiting: Waiting | null, pause: FleetPause | null): object => {
  const { errorCode, errorMessage, callbackUrl, callbacksSent, callbacksReceived, wantedWorker, notBefore, targetUrl, ...facts } = job;
  return {
    ...facts,
    targetUrl: targetUrl === null ? null : withoutUrlSecrets(targetUrl),
    error: errorCode === null ? null : { code: errorCode, message: errorMessage },
    waiting:
      waiting === null
        ? null
        : {
            workers: { registered: Object.values(waiting.counts).reduce((sum, count) => sum + count, 0), ...waiting.counts },
            wantedWorker: wantedWorker === null ? null : { ...wantedWorker, condition: waiting.wanted },
            notBefore,
            fleet: fleetAnswer(pause),
          },
    callbacks: { url: callbackUrl, received: callbacksReceived, sent: callbacksSent },
    fleet: fleetAnswer(pause),
  };
};
