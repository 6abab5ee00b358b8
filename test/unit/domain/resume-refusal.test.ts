import { boolean, constantFrom, property, record, type Arbitrary } from 'fast-check';
import { resolutionTypes } from '../../../src/contracts/command';
import { humanKinds, jobStates } from '../../../src/contracts/job';
import { refuseResume, type ResumeFacts } from '../../../src/domain/resume-refusal';
import { findCounterexample } from './facts';

const makeFacts = (more: Partial<ResumeFacts> = {}): ResumeFacts => ({
  state: 'waiting_human',
  humanKind: 'blocker',
  isCancelRequested: false,
  executionMode: 'auto',
  resolutionType: 'manual',
  hasSecret: false,
  ...more,
});

describe('a resume', () => {
  test.each<[string, Partial<ResumeFacts>]>([
    ['of a blocker that a person has cleared', {}],
    ['of a blocker whose type is not known', { humanKind: null }],
    ['with a code that came over REST', { resolutionType: 'code_entry', hasSecret: true }],
    ['with a password that came over REST', { resolutionType: 'credentials', hasSecret: true }],
    ['that skips the blocker', { resolutionType: 'skip' }],
    ['by hand on the engine that drops codes', { executionMode: 'mastra' }],
    ['with a code where the engine is not known', { executionMode: null, resolutionType: 'code_entry', hasSecret: true }],
  ])('may go %s', (_title, more) => {
    expect(refuseResume(makeFacts(more))).toBeNull();
  });

  test.each<[string, Partial<ResumeFacts>, RegExp]>([
    ['while a cancel is under way', { isCancelRequested: true }, /cancel of this job is under way/],
    ['while the job runs', { state: 'running', humanKind: null }, /the job is running$/],
    ['before a worker has the job', { state: 'waiting', humanKind: null }, /the job is waiting$/],
    ['after the end', { state: 'succeeded', humanKind: null }, /the job is succeeded$/],
    [
      'of an uncertain job, which is resolved or tried again',
      { state: 'uncertain', humanKind: null },
      /Resolve the job, or retry it with confirm/,
    ],
    ['at the review page, which is resolved', { humanKind: 'review' }, /resolve the job with submitted true or false/],
    [
      'with a code for the engine that drops it',
      { executionMode: 'mastra', resolutionType: 'code_entry', hasSecret: true },
      /mastra.*type manual/,
    ],
    [
      'with a password for the engine that drops it',
      { executionMode: 'mastra', resolutionType: 'credentials', hasSecret: true },
      /mastra.*type manual/,
    ],
    ['with a code that did not come over REST, or is used already', { resolutionType: 'code_entry' }, /REST only.*send it there/],
    ['with a password that did not come over REST', { resolutionType: 'credentials' }, /REST only.*send it there/],
  ])('is refused %s', (_title, more, words) => {
    expect(refuseResume(makeFacts(more))).toMatch(words);
  });

  test('of a cancelled review names the cancel first, which decides', () => {
    expect(refuseResume(makeFacts({ isCancelRequested: true, humanKind: 'review' }))).toMatch(/cancel/);
  });
});

const anyFacts: Arbitrary<ResumeFacts> = record({
  state: constantFrom(...jobStates),
  humanKind: constantFrom(null, ...humanKinds),
  isCancelRequested: boolean(),
  executionMode: constantFrom(null, 'auto', 'mastra', 'magnitude'),
  resolutionType: constantFrom(...resolutionTypes),
  hasSecret: boolean(),
});

test('whatever is found, a resume goes only to a blocker that waits, without a cancel, and never a secret to the engine that drops it', () => {
  const rule = property(anyFacts, (facts) => {
    if (refuseResume(facts) !== null) return true;
    const carriesSecret = ['code_entry', 'credentials'].includes(facts.resolutionType);
    return (
      facts.state === 'waiting_human' &&
      facts.humanKind !== 'review' &&
      !facts.isCancelRequested &&
      (!carriesSecret || (facts.hasSecret && facts.executionMode !== 'mastra'))
    );
  });
  expect(findCounterexample(rule, { numRuns: 5_000 })).toBeNull();
});
