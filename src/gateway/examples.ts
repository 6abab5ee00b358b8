/** Bodies that work as they are, for the readable page and for people who copy them; a test sends each. */

export const submitJobExamples = {
  'an application': {
    userId: '6f1d2c3b-4a59-4e87-9c0d-1b2a3c4d5e6f',
    targetUrl: 'https://boards.greenhouse.io/acme/jobs/4512345',
    platform: 'greenhouse',
    taskId: '0d9c8b7a-6f5e-4d3c-8b2a-190817263544',
    profile: {
      firstName: 'Ada',
      lastName: 'Lovelace',
      email: 'ada@example.com',
      location: { city: 'London', state: 'LND', country: 'UK' },
    },
    answers: { 'Are you allowed to work here?': 'Yes' },
    resume: { storagePath: 'resumes/ada.pdf' },
    priority: 3,
  },
  'another kind of job': {
    userId: '6f1d2c3b-4a59-4e87-9c0d-1b2a3c4d5e6f',
    jobType: 'scrape',
    targetUrl: 'https://example.com/careers',
    taskDescription: 'List the open positions with their links',
    inputData: { pages: 2 },
    maxAttempts: 1,
  },
} as const;

export const applyExamples = {
  'what VALET sends': {
    valet_task_id: '0d9c8b7a-6f5e-4d3c-8b2a-190817263544',
    valet_user_id: '6f1d2c3b-4a59-4e87-9c0d-1b2a3c4d5e6f',
    target_url: 'https://boards.greenhouse.io/acme/jobs/4512345',
    platform: 'unknown',
    resume: { storage_path: 'resumes/ada.pdf' },
    profile: { first_name: 'Ada', last_name: 'Lovelace', email: 'ada@example.com' },
    quality: 'speed',
    max_retries: 1,
  },
} as const;

export const taskExamples = {
  'a test by an admin': {
    valet_task_id: '1e0d9c8b-7a6f-4e5d-9c3b-2a1908172635',
    valet_user_id: '6f1d2c3b-4a59-4e87-9c0d-1b2a3c4d5e6f',
    job_type: 'custom',
    target_url: 'https://example.com/',
    task_description: 'Open the page and say its title',
    max_retries: 1,
  },
} as const;

export const pauseExamples = { 'before a migration': { reason: 'The fleet database is being moved' } } as const;

export const holdExamples = {
  'before a repair': { reason: 'Its disk is full', expiresInSeconds: 3_600 },
  'until it is released': { reason: 'It gets another image' },
} as const;

export const sweepExamples = { 'only looking': { dryRun: true } } as const;

export const releaseExamples = { 'after a repair': { reason: 'Its disk has room again' } } as const;

export const workerCallbackExamples = {
  'a finished attempt': { job_id: '3c2b1a09-8f7e-4d6c-9b5a-4938271605f4', status: 'completed', worker_id: 'gh-worker-1' },
} as const;

export const cancelExamples = { 'with a reason': { reason: 'The applicant has taken another offer' } } as const;

export const resumeExamples = {
  'a code that arrived by e-mail': { resolutionType: 'code_entry', code: '481516' },
  credentials: { resolutionType: 'credentials', username: 'ada@example.com', password: 'correct horse battery' },
  'done at the page by hand': { resolutionType: 'manual', note: 'The captcha is solved' },
} as const;

export const retryExamples = { 'after somebody has checked': { confirm: true } } as const;

export const resolveExamples = { 'it was submitted': { submitted: true, note: 'The confirmation mail has arrived' } } as const;

export const valetResumeExamples = {
  'a code in the words of VALET': {
    resolved_by: 'human',
    resolution_type: 'code_entry',
    resolution_data: { code: '481516' },
    notes: 'from the inbox',
  },
} as const;

export const drainExamples = { drain: { reason: 'a new kernel', deadlineSeconds: 1800 } };
export const recycleExamples = { recycle: { reason: 'its browser hangs' }, forced: { reason: 'its browser hangs', force: true } };

export const deployExamples = {
  'the newest of a branch, one host first': {
    destination: 'staging',
    version: 'staging',
    strategy: { canaryHosts: 1, soakSeconds: 60 },
    reason: 'The new login',
  },
  'a plan only': { destination: 'staging', version: 'staging-1a2b3c4', dryRun: true },
  'back to an older version': { destination: 'staging', version: 'staging-0f9e8d7', kind: 'rollback', reason: 'It loses sessions' },
} as const;

export const deploySignalExamples = { 'with a reason': { reason: 'The release notes are missing' } } as const;

export const breakLockExamples = { 'after a killed run': { reason: 'The laptop that held it has gone home' } } as const;
export const workerDrainExamples = { 'the fleet': {}, 'a worker': { worker_id: 'worker-1' } };
export const deregisterExamples = {
  'what VALET sends': { target_worker_id: '0d9c8b7a-6f5e-4d3c-8b2a-190817263544', reason: 'sandbox terminated', cancel_active_jobs: true },
};
export const atmDrainExamples = { 'a worker': { worker_id: 'worker-1' } };
