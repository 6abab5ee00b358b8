import { property } from 'fast-check';
import { limits } from '../../../src/contracts/limits';
import { readFinding, type Finding } from '../../../src/domain/attempt-finding';
import { attemptDeadline, decideNextStep, type JobFacts, type Moment, type NextStep } from '../../../src/domain/next-step';
import { judgeSubmission } from '../../../src/domain/submission-evidence';
import { after, anyFinding, anyJobWithAttempt, anyMoment, anyAttempt, hourMs, findCounterexample } from './facts';

const runs = { numRuns: 5_000 };
const decide = (job: JobFacts, finding: Finding, moment: Moment): NextStep => decideNextStep(job, finding, moment, limits);
const submissionOf = (finding: Finding): string => ('submission' in finding ? finding.submission : 'maybe');

describe('whatever the rows, the owner and the clock say', () => {
  test('P3: another attempt follows only where no form can have been submitted', () => {
    expect(
      findCounterexample(
        property(anyJobWithAttempt, anyFinding, anyMoment, (job, finding, moment) => {
          const step = decide(job, finding, moment);
          return step.act !== 'retry' || submissionOf(finding) === 'no';
        }),
        runs,
      ),
    ).toBeNull();
  });

  test('P3: the same holds from the row itself to the step', () => {
    expect(
      findCounterexample(
        property(anyJobWithAttempt, anyAttempt, anyMoment, (job, seen, moment) => {
          const step = decide(job, readFinding(seen), moment);
          const startsAnother = step.act === 'retry' || (step.act === 'take_back' && step.then === 'wait');
          return !startsAnother || judgeSubmission(seen) === 'no' || readFinding(seen).kind === 'unclaimed';
        }),
        runs,
      ),
    ).toBeNull();
  });

  test('P3: no step leads from uncertain to another attempt', () => {
    expect(
      findCounterexample(
        property(anyJobWithAttempt, anyFinding, anyMoment, (job, finding, moment) => {
          return !['retry', 'take_back', 'run'].includes(decide({ ...job, state: 'uncertain' }, finding, moment).act);
        }),
        runs,
      ),
    ).toBeNull();
  });

  test('no step tries again after a wish to cancel, nor beyond the tries of the job', () => {
    expect(
      findCounterexample(
        property(anyJobWithAttempt, anyFinding, anyMoment, (job, finding, moment) => {
          return decide(job, finding, moment).act !== 'retry' || (!job.isCancelRequested && job.tries < job.attemptsMax);
        }),
        runs,
      ),
    ).toBeNull();
  });

  test('a row is taken back only before anybody claimed it', () => {
    expect(
      findCounterexample(
        property(anyJobWithAttempt, anyFinding, anyMoment, (job, finding, moment) => {
          return decide(job, finding, moment).act !== 'take_back' || (finding.kind === 'unclaimed' && job.state === 'assigned');
        }),
        runs,
      ),
    ).toBeNull();
  });

  test('P1: an attempt ends only by its row or by a proof that its process is through with it', () => {
    expect(
      findCounterexample(
        property(anyJobWithAttempt, anyFinding, anyMoment, (job, finding, moment) => {
          const step = decide(job, finding, moment);
          if (!('endReason' in step) || step.endReason === null) return true;
          if (step.endReason === 'lost' || step.endReason === 'stopped') return ['gone', 'gone_in_silence', 'idle'].includes(moment.proof);
          return finding.kind === step.endReason;
        }),
        runs,
      ),
    ).toBeNull();
  });

  test('a proof of life keeps the worker with its attempt until the row says how it ended', () => {
    expect(
      findCounterexample(
        property(anyJobWithAttempt, anyFinding, anyMoment, (job, finding, moment) => {
          const step = decide(job, finding, { ...moment, proof: 'alive' });
          const frees = ['retry', 'end', 'end_attempt'].includes(step.act) || (step.act === 'ask_a_person' && step.endReason !== null);
          return !frees || finding.kind === 'completed' || finding.kind === 'failed';
        }),
        runs,
      ),
    ).toBeNull();
  });

  test('P3: a callback changes nothing while the process may be at work', () => {
    expect(
      findCounterexample(
        property(anyJobWithAttempt, anyFinding, anyMoment, (job, finding, moment) => {
          if (['gone', 'gone_in_silence', 'idle'].includes(moment.proof) || finding.kind === 'completed' || finding.kind === 'failed')
            return true;
          return JSON.stringify(decide(job, finding, moment)) === JSON.stringify(decide(job, finding, { ...moment, callbackProof: null }));
        }),
        runs,
      ),
    ).toBeNull();
  });

  test('P3: no attempt follows one whose worker said submitted', () => {
    expect(
      findCounterexample(
        property(anyJobWithAttempt, anyFinding, anyMoment, (job, finding, moment) => {
          return decide(job, finding, { ...moment, callbackProof: { submission: 'yes' } }).act !== 'retry';
        }),
        runs,
      ),
    ).toBeNull();
  });

  test('succeeded needs a completed row or the word of a worker that is through, and for an application the proof that it was submitted', () => {
    expect(
      findCounterexample(
        property(anyJobWithAttempt, anyFinding, anyMoment, (job, finding, moment) => {
          const step = decide(job, finding, moment);
          if (step.act !== 'end' || step.state !== 'succeeded') return true;
          if (step.reason === 'resolved_by_proof' && moment.callbackProof?.submission === 'yes')
            return finding.kind === 'completed' || finding.kind === 'failed' || ['gone', 'gone_in_silence', 'idle'].includes(moment.proof);
          return finding.kind === 'completed' && (finding.submission === 'yes' || job.jobType === 'scrape');
        }),
        runs,
      ),
    ).toBeNull();
  });

  test('a person who is asked is never told that nothing was submitted', () => {
    expect(
      findCounterexample(
        property(anyJobWithAttempt, anyFinding, anyMoment, (job, finding, moment) => {
          const step = decide(job, finding, moment);
          return step.act !== 'ask_a_person' || step.submission !== 'no';
        }),
        runs,
      ),
    ).toBeNull();
  });

  test('P1: beyond its deadlines a job with a live attempt is out of its hands within three steps', () => {
    expect(
      findCounterexample(
        property(anyJobWithAttempt, anyFinding, anyMoment, (job, finding, moment) => {
          return stepsUntilOut(withAllDeadlinesPast(job), finding, moment) <= 3;
        }),
        runs,
      ),
    ).toBeNull();
  });

  test('the end of an attempt is acted upon at once, in every state and whatever the owner looks like', () => {
    expect(
      findCounterexample(
        property(anyJobWithAttempt, anyFinding, anyMoment, (job, finding, moment) => {
          return !['completed', 'failed'].includes(finding.kind) || decide(job, finding, moment).act !== 'stay';
        }),
        runs,
      ),
    ).toBeNull();
  });
});

/** As the table has it: a state that something is waited for in has a deadline (activities/jobs/job-steps.ts). */
const withAllDeadlinesPast = (job: JobFacts): JobFacts => ({
  ...job,
  deadlineAt: after(-hourMs),
  jobDeadlineAt: after(-hourMs),
  humanKind: job.state === 'waiting_human' ? (job.humanKind ?? 'blocker') : null,
});

/** Applies steps as activities/jobs/job-steps.ts does, while neither the row nor the proof changes. */
const stepsUntilOut = (first: JobFacts, finding: Finding, moment: Moment): number => {
  let job = first;
  for (let steps = 0; steps < 10; steps++) {
    if (!['assigned', 'running', 'waiting_human'].includes(job.state)) return steps;
    job = applyTo(job, decide(job, finding, moment), moment);
  }
  return Infinity;
};

const applyTo = (job: JobFacts, step: NextStep, { now }: Moment): JobFacts => {
  switch (step.act) {
    case 'stay':
    case 'end_attempt':
      return job;
    case 'run':
      return { ...job, state: 'running', humanKind: null, deadlineAt: attemptDeadline(job, now, limits) };
    case 'wait_for_human':
      return { ...job, state: 'waiting_human', humanKind: step.humanKind, deadlineAt: step.deadlineAt };
    case 'take_back':
      return { ...job, state: step.then === 'cancel' ? 'cancelled' : 'waiting' };
    case 'retry':
      return { ...job, state: 'waiting' };
    case 'end':
      return { ...job, state: step.state };
    case 'ask_a_person':
      return { ...job, state: 'uncertain' };
  }
};
