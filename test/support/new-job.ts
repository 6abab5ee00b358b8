import { randomUUID } from 'node:crypto';
import type { NewJob } from '../../src/contracts/job';
import type { Actor } from '../../src/db/audit';

/** Whom the audit names for what tests accept. */
export const testActor: Actor = { actor: 'test', source: 'rest', address: null };

/** A valid job; each test names only what matters to it. */
export const makeNewJob = (more: Partial<NewJob> = {}): NewJob => ({
  jobId: randomUUID(),
  userId: randomUUID(),
  valetTaskId: randomUUID(),
  idempotencyKey: null,
  requestHash: 'hash',
  jobType: 'apply',
  targetUrl: 'https://sim.test/quick?ms=50',
  taskDescription: 'Apply to the job',
  inputData: { user_data: { first_name: 'Zoë', last_name: 'Ünal', email: 'zoe@example.test' } },
  metadata: {},
  resumeRef: { storage_path: 'resumes/1.pdf' },
  tags: ['valet', 'apply'],
  priority: 5,
  timeoutSeconds: 300,
  maxAttempts: 3,
  executionMode: 'auto',
  wantedWorker: null,
  affinity: 'any',
  callbackUrl: null,
  acceptedBy: 'test',
  requestId: 'test',
  ...more,
});
