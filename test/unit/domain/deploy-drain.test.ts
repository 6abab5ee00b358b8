import { assert, constantFrom, nat, property, string, uniqueArray } from 'fast-check';
import { describeDrain, judgeDrain, type JobOnHost } from '../../../src/domain/deploy-drain';

const job = (name: string, state = 'running'): JobOnHost => ({
  jobId: name,
  attemptId: `attempt of ${name}`,
  workerId: 'w',
  host: 'h',
  state,
});
const abort = { drainSeconds: 60, onDrainDeadline: 'abort' } as const;
const force = { drainSeconds: 60, onDrainDeadline: 'force' } as const;

test.each([
  ['no job is there', { jobs: [], interrupted: [], strategy: abort, waitedMs: 0 }, { kind: 'drained' }],
  ['one is, and there is time', { jobs: [job('a')], interrupted: [], strategy: force, waitedMs: 59_000 }, { kind: 'waits', leftMs: 1_000 }],
  [
    'the one that is left was named before',
    { jobs: [job('a')], interrupted: [job('a')], strategy: abort, waitedMs: 90_000 },
    { kind: 'drained' },
  ],
  [
    'the time is over, and jobs may be interrupted',
    { jobs: [job('a'), job('b')], interrupted: [job('a')], strategy: force, waitedMs: 60_000 },
    { kind: 'forced', interrupted: [{ jobId: 'b', attemptId: 'attempt of b', workerId: 'w', host: 'h' }] },
  ],
  [
    'the time is over, and they may not',
    { jobs: [job('a', 'waiting_human (review)')], interrupted: [], strategy: abort, waitedMs: 60_000 },
    { kind: 'aborted', detail: '1 job was still on the hosts after 60 s: a (waiting_human (review)) on h' },
  ],
])('when %s', (_what, facts, verdict) => {
  expect(judgeDrain(facts)).toEqual(verdict);
});

test.each<[JobOnHost[], string]>([
  [[], 'no job is left on the hosts'],
  [[job('a')], 'waits for 1 job: a (running) on h'],
  [[job('a'), job('b')], 'waits for 2 jobs: a (running) on h, b (running) on h'],
])('%j is told as what the drain waits for', (jobs, description) => {
  expect(describeDrain(jobs)).toBe(description);
});

test('no job is interrupted before the deadline, nor without being named, whatever runs', () => {
  const rule = property(
    uniqueArray(string({ minLength: 1, maxLength: 3 }), { maxLength: 6 }),
    nat({ max: 3 }),
    nat({ max: 120_000 }),
    constantFrom('abort' as const, 'force' as const),
    (names, known, waitedMs, onDrainDeadline) => {
      const jobs = names.map((name) => job(name));
      const left = jobs.slice(known).map(({ jobId }) => jobId);
      const verdict = judgeDrain({ jobs, interrupted: jobs.slice(0, known), strategy: { drainSeconds: 60, onDrainDeadline }, waitedMs });
      if (left.length === 0) return verdict.kind === 'drained';
      if (waitedMs < 60_000) return verdict.kind === 'waits';
      if (onDrainDeadline === 'abort') return verdict.kind === 'aborted';
      return verdict.kind === 'forced' && verdict.interrupted.map(({ jobId }) => jobId).join() === left.join();
    },
  );
  expect(() => assert(rule)).not.toThrow();
});
