import * as fc from 'fast-check';
import { recycleStates } from '../../../src/contracts/worker-act';
import { findWaitForPerson, judgeLeftProcess, type LeftProcess } from '../../../src/domain/left-process';
import type { PortAnswer } from '../../../src/domain/process-liveness';
import { answeringAt } from './facts';

const left: LeftProcess = {
  attemptId: 'attempt-1',
  jobId: 'job-1',
  workerId: 'worker-1',
  by: 'end',
  host: '10.0.0.1',
  registeredHost: '10.0.0.1',
  isRegistered: true,
  claimedAgeMs: 60_000,
  endedAgeMs: null,
  tries: 0,
  isDue: true,
  problem: null,
};
const nowMs = 1_000_000;
const port = answeringAt(nowMs);
const refused = { kind: 'refused', atMs: nowMs } as const;
const silent = { kind: 'silent', atMs: nowMs } as const;
const known = {
  nowMs,
  isListening: false,
  limits: { processStartJitterMs: 2_000, leftWaiterSettleMs: 2_000 },
};

test.each<[string, Partial<LeftProcess>, PortAnswer, Partial<typeof known>, ReturnType<typeof judgeLeftProcess>['kind']]>([
  ['that blocks at its page is left', {}, port, {}, 'left'],
  ['whose port says nothing is left', {}, silent, {}, 'left'],
  ['that started after the claim is another one', {}, { ...port, startedAfterMs: nowMs - 30_000 }, {}, 'gone'],
  ['that refuses is gone', {}, refused, {}, 'gone'],
  ['that refuses and listens lives', {}, refused, { isListening: true }, 'left'],
  ['that nobody has registered is a person’s', { isRegistered: false, registeredHost: null }, silent, {}, 'hindered'],
  ['whose row names another machine is a person’s', { registeredHost: '10.0.0.2' }, port, {}, 'hindered'],
  ['that refuses where its row names another machine is not proven gone', { registeredHost: '10.0.0.2' }, refused, {}, 'hindered'],
  ['with a wait in it may still settle', { by: 'waiter', endedAgeMs: 500 }, { ...port, activeJobs: 0 }, {}, 'settles'],
  ['with a wait in it is left after a while', { by: 'waiter', endedAgeMs: 5_000 }, { ...port, activeJobs: 0 }, {}, 'left'],
  ['with a wait in it that works for somebody else is left to him', { by: 'waiter', endedAgeMs: 5_000 }, port, {}, 'hindered'],
])('a process %s', (_what, more, seen, facts, kind) => {
  expect(judgeLeftProcess({ ...left, ...more }, seen, { ...known, ...facts }).kind).toBe(kind);
});

test('no process is taken for gone that may be the one that claimed', () => {
  const check = (): void =>
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 10_000_000 }),
        fc.integer({ min: 0, max: 10_000_000 }),
        fc.nat(3),
        (claimedAgeMs, startedAgeMs, activeJobs) => {
          const seen: PortAnswer = {
            ...port,
            kind: 'answers',
            workerId: 'worker-1',
            activeJobs,
            atMs: nowMs,
            startedAfterMs: nowMs - startedAgeMs,
          };
          const { kind } = judgeLeftProcess({ ...left, claimedAgeMs }, seen, known);
          return kind !== 'gone' || startedAgeMs < claimedAgeMs;
        },
      ),
    );
  expect(check).not.toThrow();
});

test.each(recycleStates)('a person is told which worker to restart when a recycle failed, also where recycles are %s', (state) => {
  const problem = 'the command exited with 255 after 0.2 s: Permission denied';
  expect(findWaitForPerson({ ...left, problem }, { state, detail: 'x' })).toBe(
    `Restart worker-1: Job job-1 goes on without it, and its process keeps the page; it was not recycled: ${problem}`,
  );
  const isUnable = state === 'not_configured' || state === 'no_deployer';
  expect(findWaitForPerson(left, { state, detail: 'RECYCLE_COMMAND is not set for the deployer' }) !== null).toBe(isUnable);
});
