import { findBrokenPromises, type CommandEvidence, type CommandRecord } from '../support/command-checker';
import type { SubmissionEntry, SubmissionEvent } from '../../dev/gh/submissions-log';

/** A cancel of one running job, told as it should be: stopped before the form was open. */
const makeEvidence = (more: Partial<CommandEvidence> = {}): CommandEvidence => ({
  jobs: [
    { jobId: 'job-1', state: 'cancelled', generation: 1, targetUrl: 'https://sim.test/quick', publicStatus: 'cancelled', submission: 'no' },
  ],
  transitions: [
    { jobId: 'job-1', generation: 1, state: 'running', reason: 'running', at: at(2) },
    { jobId: 'job-1', generation: 1, state: 'cancelled', reason: 'cancelled', at: at(5) },
  ],
  attempts: [
    { attemptId: 'row-1', jobId: 'job-1', generation: 1, workerId: 'worker-1', host: '10.0.0.1', assignedAt: at(1), endedAt: at(5) },
  ],
  commands: [makeCommand()],
  submissions: [line(1, 'claimed'), line(2, 'started'), line(3, 'connection_lost')],
  ...more,
});

const at = (second: number): Date => new Date(Date.UTC(2026, 2, 1, 12, 0, second));

const makeCommand = (more: Partial<CommandRecord> = {}): CommandRecord => ({
  commandId: 'command-1',
  jobId: 'job-1',
  generation: 1,
  kind: 'cancel',
  requestedAt: at(3),
  wasEndedBefore: false,
  endedAt: at(5),
  outcome: 'cancelled',
  route: {
    route: 'owner',
    attemptId: 'row-1',
    workerId: 'worker-1',
    host: '10.0.0.1',
    instanceId: null,
    reason: 'the worker that owns the job',
    steps: [{ lookedUp: 'registry', found: '10.0.0.1', level: 'info', reason: 'live' }],
  },
  means: [{ means: 'listener', result: 'ended' }],
  ...more,
});

const line = (seq: number, event: SubmissionEvent, more: Partial<SubmissionEntry> = {}): SubmissionEntry => ({
  seq,
  at: at(seq).toISOString(),
  event,
  jobId: 'job-1',
  rowId: 'row-1',
  attemptNumber: 1,
  workerId: 'worker-1',
  processId: 'process-1',
  ...more,
});

const goodRoute = makeCommand().route;
const other = { jobId: 'job-2', rowId: 'row-2' };
const attemptOf = (attemptId: string, second: number): CommandEvidence['attempts'][number] => ({
  attemptId,
  jobId: 'job-1',
  generation: 1,
  workerId: 'worker-2',
  host: '10.0.0.2',
  assignedAt: at(second),
  endedAt: null,
});

test('a run in which every cancel told the truth breaks nothing', () => {
  expect(findBrokenPromises(makeEvidence())).toEqual([]);
});

test('a cancel of a job that had ended needs no route', () => {
  const late = makeCommand({ commandId: 'command-2', route: null, outcome: 'already_finished', wasEndedBefore: true });
  expect(findBrokenPromises(makeEvidence({ commands: [...makeEvidence().commands, late] }))).toEqual([]);
});

test.each<[planted: string, evidence: CommandEvidence, found: RegExp]>([
  [
    'a job that says cancelled and was submitted',
    makeEvidence({
      jobs: makeEvidence().jobs.map((job) => ({ ...job, publicStatus: 'failed' })),
      submissions: [line(1, 'claimed'), line(2, 'form_opened'), line(3, 'submitted')],
    }),
    /says cancelled and was submitted \(line 3\)/,
  ],
  [
    'a job that the product shows as cancelled and that was submitted',
    makeEvidence({
      jobs: makeEvidence().jobs.map((job) => ({ ...job, state: 'succeeded' as const })),
      transitions: [{ jobId: 'job-1', generation: 1, state: 'succeeded', reason: 'completed', at: at(6) }],
      commands: [],
      submissions: [line(1, 'claimed'), line(2, 'submitted')],
    }),
    /the product shows job-1 as cancelled, and it was submitted \(line 2\)/,
  ],
  [
    'an application that its worker began again',
    makeEvidence({ submissions: [line(1, 'claimed'), line(2, 'restarted')] }),
    /was begun again by its worker \(line 2\)/,
  ],
  [
    'another attempt after one that had its form open',
    makeEvidence({
      attempts: [...makeEvidence().attempts, attemptOf('row-9', 2)],
      submissions: [line(1, 'claimed'), line(2, 'form_opened'), line(3, 'claimed', { rowId: 'row-9' })],
    }),
    /was tried again after its form was open \(lines 2, 3\)/,
  ],
  [
    'a claim of a row that is no attempt',
    makeEvidence({ submissions: [line(1, 'claimed', { rowId: 'row-x' })] }),
    /line 1 claimed a row that is no attempt/,
  ],
  [
    'a job that ended twice',
    makeEvidence({
      transitions: [...makeEvidence().transitions, { jobId: 'job-1', generation: 1, state: 'succeeded', reason: 'completed', at: at(6) }],
    }),
    /went from cancelled to succeeded in generation 1/,
  ],
  [
    'an answer that its job does not bear out',
    makeEvidence({ commands: [makeCommand({ outcome: 'cancelled_maybe_submitted' })] }),
    /was answered with cancelled_maybe_submitted; its states: running,cancelled/,
  ],
  ['an outcome without an end', makeEvidence({ commands: [makeCommand({ endedAt: null })] }), /has the outcome cancelled and no end/],
  [
    'a cancel at another worker in silence',
    makeEvidence({ commands: [makeCommand({ route: goodRoute && { ...goodRoute, workerId: 'worker-2', host: '10.0.0.2' } })] }),
    /went to worker-2 at 10\.0\.0\.2 in silence/,
  ],
  [
    "a cancel of another job's attempt",
    makeEvidence({ commands: [makeCommand({ route: goodRoute && { ...goodRoute, attemptId: 'row-7' } })] }),
    /went to attempt row-7, which is not its own/,
  ],
  ['an end without a route', makeEvidence({ commands: [makeCommand({ route: null })] }), /names no route/],
  [
    'an attempt that was made after the cancel',
    makeEvidence({ attempts: [...makeEvidence().attempts, attemptOf('row-8', 4)] }),
    /attempt row-8 of job-1 was made after its cancel/,
  ],
  [
    'a process of another job that is hit',
    makeEvidence({
      jobs: [
        ...makeEvidence().jobs,
        {
          jobId: 'job-2',
          state: 'running',
          generation: 1,
          targetUrl: 'https://sim.test/quick',
          publicStatus: 'running',
          submission: 'no',
        },
      ],
      attempts: [...makeEvidence().attempts, { ...attemptOf('row-2', 2), jobId: 'job-2' }],
      submissions: [line(1, 'claimed'), line(2, 'claimed', other), line(3, 'connection_lost', other)],
    }),
    /job-2 was not cancelled, and its process is hit \(line 3/,
  ],
])('the checker finds %s', (_planted, evidence, found) => {
  const broken = findBrokenPromises(evidence);
  expect(broken).toHaveLength(1);
  expect(broken[0]).toMatch(found);
});
