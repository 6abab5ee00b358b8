import type { SubmissionEntry, SubmissionEvent } from '../../dev/gh/submissions-log';
import type { CallbackBody } from '../../src/contracts/callback';
import type { JobState } from '../../src/contracts/job';
import { findViolations } from '../support/checker';
import type { Evidence } from '../support/evidence';

/** A checker that finds nothing proves something only if it finds what is there: every test below plants one fault in a clean run. */
const jobId = 'job';
const running: CallbackBody = { job_id: jobId, valet_task_id: null, status: 'running' };
const completed: CallbackBody = { job_id: jobId, valet_task_id: null, status: 'completed' };

const line = (seq: number, event: SubmissionEvent, { rowId = 'row-1', processId = 'p1', attemptNumber = 1 } = {}): SubmissionEntry => ({
  seq,
  at: '',
  workerId: 'worker-1',
  processId,
  rowId,
  jobId,
  attemptNumber,
  event,
});

const cleanRun = (): Evidence => ({
  acceptedJobIds: [jobId],
  jobs: [
    {
      jobId,
      generation: 1,
      state: 'succeeded',
      isRerunByGh: false,
      hasCallbackUrl: true,
      mirrorStatus: 'completed',
      attemptsWithPersonalData: 0,
    },
  ],
  transitions: (['accepted', 'waiting', 'assigned', 'running', 'succeeded'] satisfies JobState[]).map((state, index) => ({
    jobId,
    generation: 1,
    seq: index + 1,
    state,
    reason: '',
  })),
  attempts: [
    { attemptId: 'row-1', jobId, generation: 1, number: 1 },
    { attemptId: 'row-2', jobId, generation: 1, number: 2 },
  ],
  callbacks: [
    { jobId, generation: 1, seq: 1, word: 'running', isFinal: false, settledAs: 'delivered', body: running },
    { jobId, generation: 1, seq: 2, word: 'completed', isFinal: true, settledAs: 'delivered', body: completed },
  ],
  received: [running, completed],
  submissions: (['claimed', 'started', 'form_opened', 'submitted', 'ended'] satisfies SubmissionEvent[]).map((event, index) =>
    line(index + 1, event),
  ),
  texts: [{ where: 'a log', text: 'nothing to see' }],
  unspeakable: ['zoe@applicant.test'],
});

const judge = (fault: (run: Evidence) => void): string[] => {
  const run = cleanRun();
  fault(run);
  return findViolations(run).map(({ promise, what }) => `P${promise}: ${what}`);
};

test('finds nothing in a clean run, also when callbacks come twice', () => {
  expect(judge(() => undefined)).toEqual([]);
  expect(judge((run) => (run.received = [running, running, completed, completed]))).toEqual([]);
});

test('P1: finds a lost job, a missing end and two ends', () => {
  expect(judge((run) => (run.acceptedJobIds = [jobId, 'other']))).toEqual(['P1: was accepted and has no record']);
  expect(judge((run) => run.transitions.pop())).toContain('P1: generation 1 has 0 ends; the job is succeeded');
  expect(judge((run) => run.transitions.push({ jobId, generation: 1, seq: 6, state: 'succeeded', reason: '' }))).toContain(
    'P1: generation 1 has 2 ends; the job is succeeded',
  );
});

test('P1: finds two attempts side by side, and a claimed row that is no attempt', () => {
  const overlap = judge((run) => {
    run.submissions = [line(1, 'claimed'), line(2, 'claimed', { rowId: 'row-2', processId: 'p2', attemptNumber: 2 }), line(3, 'ended')];
  });
  expect(overlap).toEqual(['P1: worker-1 claimed it (line 2) while row-1 in process p1 ran']);
  const next = judge((run) => {
    run.submissions = [line(1, 'claimed'), line(2, 'killed'), line(3, 'claimed', { rowId: 'row-2', processId: 'p2' }), line(4, 'ended')];
  });
  expect(next).toEqual([]);
  expect(judge((run) => (run.attempts = []))).toContain('P1: worker-1 claimed row row-1, which is no attempt');
});

test('P2: finds an end that changed, in the timeline and in the public row', () => {
  const changed = judge((run) => run.transitions.push({ jobId, generation: 1, seq: 6, state: 'running', reason: '' }));
  expect(changed).toContain('P2: generation 1 went from succeeded to running');
  expect(judge((run) => (run.jobs[0]!.mirrorStatus = 'failed'))).toEqual(['P2: the record says succeeded, the public row says failed']);
});

test('P3: finds an attempt after an open form, in the same generation only', () => {
  const second = [line(6, 'claimed', { rowId: 'row-2', attemptNumber: 2 }), line(7, 'ended', { rowId: 'row-2', attemptNumber: 2 })];
  expect(judge((run) => (run.submissions = [...run.submissions, ...second]))).toEqual([
    'P3: attempt 1 had the form open (line 3), 2 was started after it (line 6)',
  ]);
  const isNextLife = judge((run) => {
    run.submissions = [...run.submissions, ...second];
    run.attempts[1]!.generation = 2;
  });
  expect(isNextLife).toEqual([]);
});

test("P3: takes GH's own re-run for what it is only when it is reported", () => {
  const rerun = [
    line(1, 'claimed'),
    line(2, 'form_opened'),
    line(3, 'submitted'),
    line(4, 'restarted'),
    line(5, 'submitted'),
    line(6, 'ended'),
  ];
  expect(judge((run) => (run.submissions = rerun))).toEqual([
    'P3: GH submitted it again, and the record does not say so',
    'P3: GH submitted it again, and the callback of generation 1 does not say so',
  ]);
  expect(judge((run) => (run.submissions = rerun.filter(({ event }) => event !== 'restarted')))).toContain(
    'P3: generation 1 was submitted 2 times',
  );
});

test('P5: finds a second final one, a gap, a wrong order, a lost one and an undelivered one', () => {
  expect(judge((run) => (run.callbacks[0]!.isFinal = true))).toContain('P5: generation 1 told running,completed, 2 of them final');
  expect(judge((run) => (run.callbacks[1]!.seq = 3))).toContain('P5: the callbacks of generation 1 are numbered 1,3');
  expect(judge((run) => (run.received = [running, completed, running]))).toEqual(['P5: "running" arrived after callback 1/2 "completed"']);
  expect(judge((run) => (run.received = [completed]))).toContain('P5: "completed" arrived after nothing');
  expect(judge((run) => (run.received = [running]))).toEqual(['P5: callback 1/2 "completed" is called delivered and never arrived']);
  expect(judge((run) => (run.callbacks[1]!.settledAs = null))).toContain('P5: callback 1/2 "completed" is not settled');
});

test('P8: names the place that holds what may not be said', () => {
  expect(judge((run) => run.texts.push({ where: 'gateway.log', text: 'mail to zoe@applicant.test' }))).toEqual([
    'P8: gateway.log holds "zoe@applicant.test"',
  ]);
  expect(judge((run) => (run.jobs[0]!.attemptsWithPersonalData = 1))).toEqual(['P8: 1 rows of ended attempts still hold personal data']);
});
