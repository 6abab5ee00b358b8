import { limits } from '../../../src/contracts/limits';
import { sweepAttempts, type ExamineFinding, type LiveAttempt } from '../../../src/domain/attempt-sweep';
import { answeringAt } from './facts';

const nowMs = 1_000_000_000;
const answers = answeringAt(nowMs);
const refused = { kind: 'refused', atMs: nowMs } as const;
const silent = { kind: 'silent', atMs: nowMs } as const;
const attempt: LiveAttempt = {
  attemptId: 'attempt-1',
  jobId: 'job-1',
  isCurrent: true,
  jobState: 'running',
  humanKind: null,
  isOwnerInDoubt: false,
  jobTouchedAgeMs: 5_000,
  workerId: 'worker-1',
  host: '10.0.0.1',
  claimedAtMs: nowMs - 60_000,
  row: { status: 'running', claimedBy: 'worker-1', heartbeatAgeMs: 4_000 },
  registryStatus: 'active',
  port: answers,
  portChangedAgeMs: 600_000,
  listeners: 1,
};
const hourMs = 3_600_000;
const silentRow = { status: 'running', claimedBy: 'worker-1', heartbeatAgeMs: 40_000 };

const sweep = (more: Partial<LiveAttempt>) => sweepAttempts([{ ...attempt, ...more }], limits);

describe('the worker of an attempt is examined', () => {
  test.each<[string, Partial<LiveAttempt>, ExamineFinding | null]>([
    ['not while it works', {}, null],
    ['when its port refuses', { port: refused }, 'worker_changed'],
    ['when its process has started again', { port: { ...answers, startedAfterMs: nowMs - 30_000 } }, 'worker_changed'],
    ['when another worker answers there', { port: { ...answers, workerId: 'worker-2' } }, 'worker_changed'],
    ['not when its port is only silent: that proves nothing', { port: silent }, null],
    ['not when nobody asked its port', { port: null }, null],
    ['when its row is silent', { row: silentRow, port: silent }, 'silent_attempt'],
    ['when its row is silent and it is busy', { row: silentRow }, 'silent_attempt'],
    ['when its row says running and it is idle', { row: silentRow, port: { ...answers, activeJobs: 0 } }, 'zombie_attempt'],
    ['not when it is idle and its row beat a moment ago', { port: { ...answers, activeJobs: 0 } }, null],
    ['when its row is gone', { row: null }, 'silent_attempt'],
    ['when the registry says offline', { registryStatus: 'offline' }, 'worker_gone'],
    ['when nobody is registered by its name', { registryStatus: null }, 'worker_gone'],
    [
      'once an hour when the registry says offline, and a person is waited for',
      { jobState: 'waiting_human', registryStatus: 'offline', jobTouchedAgeMs: hourMs + 1 },
      'worker_gone',
    ],
    ['not in between', { jobState: 'waiting_human', registryStatus: 'offline', jobTouchedAgeMs: hourMs }, null],
    [
      'when its row fell silent since the last look, and a person is waited for',
      { jobState: 'waiting_human', row: silentRow, jobTouchedAgeMs: 10_001 },
      'silent_attempt',
    ],
    ['not again for the same silence', { jobState: 'waiting_human', row: silentRow, jobTouchedAgeMs: 9_999 }, null],
    ['when its row is gone, and a person is waited for', { jobState: 'waiting_human', row: null }, 'silent_attempt'],
    ['not again while its workflow has a doubt already', { isOwnerInDoubt: true, row: silentRow }, null],
    ['not before it claimed', { claimedAtMs: null, port: refused }, null],
    ['not when its job has gone on without it', { isCurrent: false, port: refused }, null],
    ...(['uncertain', 'waiting_human'] as const).flatMap((jobState): [string, Partial<LiveAttempt>, ExamineFinding | null][] => {
      const changed = { jobState, port: refused };
      return [
        [`when its port changed since the last look, its job being ${jobState}`, { ...changed, portChangedAgeMs: 4_999 }, 'worker_changed'],
        [`not again for the same answer, its job being ${jobState}`, { ...changed, portChangedAgeMs: 5_001 }, null],
        [`not when nobody knows since when, its job being ${jobState}`, { ...changed, portChangedAgeMs: null }, null],
        [`once an hour for the same answer, its job being ${jobState}`, { ...changed, jobTouchedAgeMs: hourMs + 1 }, 'worker_changed'],
      ];
    }),
    ['not for its silence when its job is uncertain', { jobState: 'uncertain', jobTouchedAgeMs: hourMs + 1, row: silentRow }, null],
  ])('%s', (_what, more, finding) => {
    expect(sweep(more).examine).toEqual(finding === null ? [] : [{ jobId: 'job-1', finding }]);
  });
});

test('more than one process that listens for a cancel is an alarm', () => {
  expect(sweep({ listeners: 2 }).findings).toEqual([{ finding: 'several_listeners', subject: 'attempt-1', detail: '2 processes listen' }]);
  expect(sweep({ listeners: 0 }).findings).toEqual([]);
});

test('a claim by another worker changes our record before anything is said of the one it was meant for', () => {
  const { reowned, examine } = sweep({ row: { ...silentRow, claimedBy: 'worker-2' }, port: refused });
  expect(reowned).toEqual([{ attemptId: 'attempt-1', jobId: 'job-1', from: 'worker-1', to: 'worker-2' }]);
  expect(examine).toEqual([]);
});

test('a row that was given back names nobody, which is no claim', () => {
  expect(sweep({ row: { status: 'pending', claimedBy: null, heartbeatAgeMs: 1_000 } }).reowned).toEqual([]);
});
