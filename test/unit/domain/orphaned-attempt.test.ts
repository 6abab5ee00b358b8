import { limits } from '../../../src/contracts/limits';
import { endOfOrphaned, type OrphanedAttempt, type OrphanedEnd } from '../../../src/domain/orphaned-attempt';
import { answeringAt } from './facts';

const minute = 60_000;
const row = { status: 'running', errorCode: null, heartbeatAgeMs: 5_000, isCompletedByOthers: false };
const nowMs = 1_000_000_000;
const answers = answeringAt(nowMs);
const refused = { kind: 'refused', atMs: nowMs } as const;
const silentPort = { kind: 'silent', atMs: nowMs } as const;
const restarted = { ...answers, startedAfterMs: nowMs - minute };
const sinceTheClaim = nowMs - 9 * minute;

/** A review that a person has resolved: its worker still blocks on the browser. */
const attempt: OrphanedAttempt = {
  attemptId: 'attempt-1',
  jobId: 'job-1',
  workerId: 'worker-1',
  begunAtMs: nowMs - 10 * minute,
  nowMs,
  row,
  port: answers,
  unchangedSinceMs: nowMs - 70 * minute,
  listener: 'absent',
};
const silent = { ...row, heartbeatAgeMs: 5 * minute };
const longAgo = { begunAtMs: nowMs - 4 * 60 * minute, row: { ...row, heartbeatAgeMs: 4 * 60 * minute } };

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
  ['is over when its worker’s process started again', { port: restarted }, 'lost'],
  ['is not over while its listener is there', { port: restarted, listener: 'present' }, null],
  ['is over when its worker is idle and its row is silent', { row: silent, port: { ...answers, activeJobs: 0 } }, 'lost'],
  ['is not over when its worker is idle and its row beats', { port: { ...answers, activeJobs: 0 } }, null],
  [
    'is not over a moment after its claim',
    { begunAtMs: nowMs - 1_000, row: { ...row, heartbeatAgeMs: null }, port: { ...answers, activeJobs: 0 } },
    null,
  ],
  ['is not over when its row is silent and its worker is busy', { row: silent }, null],
  ['is over when its row is gone and its worker is idle', { row: null, port: { ...answers, activeJobs: 0 } }, 'lost'],
  ['is over when its port refuses since after the claim', { port: refused, unchangedSinceMs: sinceTheClaim }, 'lost'],
  ['is not over when its port refused all the time', { port: refused }, null],
  ['is not over when nobody knows since when', { port: refused, unchangedSinceMs: null }, null],
  [
    'is not over when its port refuses a moment after its claim, as that of a process that starts does',
    { begunAtMs: nowMs - 18_000, port: refused, unchangedSinceMs: nowMs - 15_000 },
    null,
  ],
  [
    'is over when its port has refused from a moment after its claim until now',
    { port: refused, unchangedSinceMs: nowMs - 10 * minute + 1_000 },
    'lost',
  ],
  [
    'is over when another worker answers there since',
    { port: { ...answers, workerId: 'worker-2' }, unchangedSinceMs: sinceTheClaim },
    'lost',
  ],
  ['is not over when listeners cannot be seen', { port: refused, unchangedSinceMs: sinceTheClaim, listener: 'unreadable' }, null],
  ['is not over when its host is silent', { port: silentPort, unchangedSinceMs: sinceTheClaim, row: silent }, null],
  ['is over when its host is silent for longer than GH works on anything', { ...longAgo, port: silentPort }, 'lost'],
  ['is over when nobody knows its host any more, and nobody has beaten for it so long', { ...longAgo, port: null }, 'lost'],
  ['is not over while somebody beats for it', { begunAtMs: longAgo.begunAtMs, port: null }, null],
  ['is not over, however silent, when listeners cannot be seen', { ...longAgo, port: null, listener: 'unreadable' }, null],
])('an attempt that its job has left %s', (_what, more, end) => {
  expect(endOfOrphaned({ ...attempt, ...more }, limits)).toBe(end);
});
