import { limits } from '../../../src/contracts/limits';
import { endOfOrphaned, type OrphanedAttempt, type OrphanedEnd } from '../../../src/domain/orphaned-attempt';

const minute = 60_000;
const row = { status: 'running', errorCode: null, heartbeatAgeMs: 5_000, isCompletedByOthers: false };
const answers = { kind: 'answers', workerId: 'worker-1', activeJobs: 1, hasRestarted: false } as const;

/** A review that a person has resolved: its worker still blocks on the browser. */
const attempt: OrphanedAttempt = {
  attemptId: 'attempt-1',
  jobId: 'job-1',
  workerId: 'worker-1',
  ageMs: 10 * minute,
  row,
  port: answers,
  unchangedAfterMs: -60 * minute,
  listener: 'absent',
};
const silent = { ...row, heartbeatAgeMs: 5 * minute };
const longAgo = { ageMs: 4 * 60 * minute, row: { ...row, heartbeatAgeMs: 4 * 60 * minute } };

test.each<[string, Partial<OrphanedAttempt>, OrphanedEnd | null]>([
  ['is not over while its worker works', {}, null],
  ['is over when its row says completed', { row: { ...row, status: 'completed' }, listener: 'present' }, 'completed'],
  ['is over when its row says failed', { row: { ...row, status: 'failed', errorCode: 'timeout' } }, 'failed'],
  ['is not over when a deregistration wrote failed', { row: { ...row, status: 'failed', errorCode: 'worker_deregistered' } }, null],
  ['is not over when a recovery wrote failed', { row: { ...row, status: 'failed', errorCode: 'stuck_job_timeout' } }, null],
  [
    'is not over because a recovery of another worker completed it',
    { row: { ...row, status: 'completed', isCompletedByOthers: true } },
    null,
  ],
  ['is not over because its row says cancelled', { row: { ...row, status: 'cancelled' } }, null],
  ['is over when its worker’s process started again', { port: { ...answers, hasRestarted: true } }, 'lost'],
  ['is not over while its listener is there', { port: { ...answers, hasRestarted: true }, listener: 'present' }, null],
  ['is over when its worker is idle and its row is silent', { row: silent, port: { ...answers, activeJobs: 0 } }, 'lost'],
  ['is not over when its worker is idle and its row beats', { port: { ...answers, activeJobs: 0 } }, null],
  [
    'is not over a moment after its claim',
    { ageMs: 1_000, row: { ...row, heartbeatAgeMs: null }, port: { ...answers, activeJobs: 0 } },
    null,
  ],
  ['is not over when its row is silent and its worker is busy', { row: silent }, null],
  ['is over when its row is gone and its worker is idle', { row: null, port: { ...answers, activeJobs: 0 } }, 'lost'],
  ['is over when its port refuses since after the claim', { port: { kind: 'refused' }, unchangedAfterMs: minute }, 'lost'],
  ['is not over when its port refused all the time', { port: { kind: 'refused' } }, null],
  ['is not over when nobody knows since when', { port: { kind: 'refused' }, unchangedAfterMs: null }, null],
  ['is not over when its port refused only while it started', { port: { kind: 'refused' }, unchangedAfterMs: 2_000 }, null],
  ['is over when another worker answers there since', { port: { ...answers, workerId: 'worker-2' }, unchangedAfterMs: minute }, 'lost'],
  ['is not over when listeners cannot be seen', { port: { kind: 'refused' }, unchangedAfterMs: minute, listener: 'unreadable' }, null],
  ['is not over when its host is silent', { port: { kind: 'silent' }, unchangedAfterMs: minute, row: silent }, null],
  ['is over when its host is silent for longer than GH works on anything', { ...longAgo, port: { kind: 'silent' } }, 'lost'],
  ['is over when nobody knows its host any more, and nobody has beaten for it so long', { ...longAgo, port: null }, 'lost'],
  ['is not over while somebody beats for it', { ageMs: longAgo.ageMs, port: null }, null],
  ['is not over, however silent, when listeners cannot be seen', { ...longAgo, port: null, listener: 'unreadable' }, null],
])('an attempt that its job has left %s', (_what, more, end) => {
  expect(endOfOrphaned({ ...attempt, ...more }, limits)).toBe(end);
});
