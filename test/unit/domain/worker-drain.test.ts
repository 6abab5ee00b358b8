import { judgeDrain, type DrainFacts } from '../../../src/domain/worker-drain';

const idlePort = { kind: 'answers', workerId: 'w', activeJobs: 0, startedAfterMs: 0, startedBeforeMs: 0, atMs: 1 } as const;
const facts: DrainFacts = { workerId: 'w', isRegistered: true, isHeld: true, job: null, port: idlePort };
const job = { jobId: 'j-1', state: 'running', isOver: false };

it.each<[string, Partial<DrainFacts>, string, RegExp]>([
  ['it has no job and says so', {}, 'drained', /no job/],
  ['it has no job and no process', { port: { kind: 'refused', atMs: 1 } }, 'drained', /refuses/],
  ['it has a job', { job }, 'waits', /j-1 is running/],
  ['it has a job that its port does not know of yet', { job: { ...job, state: 'assigned' } }, 'waits', /assigned/],
  ['it still works for a job that is over', { job: { ...job, state: 'succeeded', isOver: true } }, 'waits', /j-1 is over .* recycle/],
  ['its port says nothing', { port: { kind: 'silent', atMs: 1 } }, 'waits', /nobody can tell/],
  ['it registered no address', { port: null }, 'unproven', /without an address/],
  ['it registered no address and has a job', { port: null, job }, 'waits', /j-1 is running/],
  ['its row is gone', { port: null, isRegistered: false }, 'waits', /not registered any more/],
  ['another worker answers for it', { port: { ...idlePort, workerId: 'other' } }, 'waits', /another worker/],
  ['it runs what is not ours', { port: { ...idlePort, activeJobs: 1 } }, 'waits', /not ours/],
  ['it was released', { isHeld: false }, 'released', /released/],
  ['it was released with a job', { isHeld: false, job }, 'released', /released/],
])('when %s, it is %s', (_what, more, expected, detail) => {
  const finding = judgeDrain({ ...facts, ...more });
  expect(finding.kind === 'over' ? finding.outcome : 'waits').toBe(expected);
  expect(finding.detail).toMatch(detail);
});
