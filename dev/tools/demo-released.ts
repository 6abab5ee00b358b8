import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { DemoFleet } from './demo-fleet';
import { ask, type JobAnswer } from './demo-person';

/**
 * The worker of a review that a person has resolved: GH keeps the page for ever, so its process is replaced by itself, and it takes the next job. True when
 * it has done that one.
 */
export const showReleasedWorker = async ({ gatewayUrl }: DemoFleet, jobId: string, timeoutMs: number): Promise<boolean> => {
  const reviewed = await ask<JobAnswer>(`${gatewayUrl}/v1/jobs/${jobId}`);
  const workerId = reviewed.attempts.at(-1)?.workerId ?? '';
  const startedAt = Date.now();
  const next = await ask<{ jobId: string }>(`${gatewayUrl}/v1/jobs`, {
    userId: randomUUID(),
    targetUrl: 'https://sim.test/quick?ms=500',
    profile: { firstName: 'Ada', lastName: 'Lovelace', email: 'ada@example.com' },
    resume: { storagePath: 'resumes/ada.pdf' },
    worker: { id: workerId, affinity: 'strict' },
  });
  for (;;) {
    const { state } = await ask<JobAnswer>(`${gatewayUrl}/v1/jobs/${next.jobId}`);
    const seconds = ((Date.now() - startedAt) / 1000).toFixed(1);
    if (state === 'succeeded') {
      console.log(`✓ ${workerId}, whose review a person resolved, was recycled by itself and has done its next job, ${seconds} s later.`);
      return true;
    }
    if (Date.now() - startedAt > timeoutMs) {
      console.log(`✗ ${workerId}, whose review a person resolved, has not done its next job (${state}) after ${seconds} s.`);
      return false;
    }
    await delay(250);
  }
};
