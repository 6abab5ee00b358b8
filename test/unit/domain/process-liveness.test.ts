import { array, boolean, constant, constantFrom, integer, oneof, property, record, type Arbitrary } from 'fast-check';
import { judgeProcess, type Liveness, type PortAnswer, type ProcessEvidence } from '../../../src/domain/process-liveness';
import { answeringAt, findCounterexample } from './facts';

const startMs = 1_000_000;
const claimedAtMs = startMs + 60_000;
const limits = { jitterMs: 1_000 };
const claimed = { ranAtMs: claimedAtMs, boundByMs: claimedAtMs + 5_000 };
type Answering = Extract<PortAnswer, { kind: 'answers' }>;

/** The process of `worker-1`, which somebody ends; nobody knows when it claimed. */
const ending: ProcessEvidence = {
  workerId: 'worker-1',
  ranAtMs: null,
  boundByMs: null,
  before: null,
  answers: [],
  listener: 'unreadable',
  isAddressCurrent: true,
};
const at = (ms: number, more: Partial<Answering> = {}): Answering =>
  answeringAt(claimedAtMs + ms, { startedAfterMs: startMs, startedBeforeMs: startMs, ...more });
const refusedAt = (ms: number): PortAnswer => ({ kind: 'refused', atMs: claimedAtMs + ms });
const before = at(0);
const refused = refusedAt(60_000);
const silent: PortAnswer = { kind: 'silent', atMs: claimedAtMs + 60_000 };
const idle = { activeJobs: 0 };
const restarted = { ...idle, startedAfterMs: claimedAtMs + 5_000, startedBeforeMs: claimedAtMs + 5_000 };
const other = { workerId: 'worker-2' };

test.each<[string, Partial<ProcessEvidence>, Liveness['is'], Liveness['because']]>([
  ['nobody asked its port', { before }, 'unknown', 'its port is silent'],
  ['its port is silent', { before, answers: [silent, silent] }, 'unknown', 'its port is silent'],
  ['its port was refused once and is silent now', { before, answers: [refused, silent] }, 'unknown', 'its port is silent'],
  ['it works on, also in the second after its listener has gone', { before, answers: [at(0), at(500), at(999)] }, 'alive', 'it answers'],
  ['its listener is there, whatever else is seen', { answers: [refused], ...claimed, listener: 'present' }, 'alive', 'it listens'],

  ['it has no job twice, a second apart', { before, answers: [at(0, idle), at(1_000, idle)] }, 'idle', 'it works on nothing'],
  ['it has no job once', { before, answers: [at(0, idle)] }, 'alive', 'it answers'],
  ['it has no job twice within a second: its last writes are under way', { answers: [at(0, idle), at(999, idle)] }, 'alive', 'it answers'],
  ['it had a job in between', { before, answers: [at(0, idle), at(500), at(1_000, idle)] }, 'alive', 'it answers'],
  ['its port was silent in between', { before, answers: [at(0, idle), silent, at(1_000, idle)] }, 'alive', 'it answers'],
  [
    'it had no job before somebody began to end it, and has none now',
    { before: at(-9_000, idle), answers: [at(0, idle)] },
    'alive',
    'it answers',
  ],

  ['its port is refused', { before, answers: [at(0), refused] }, 'gone', 'its port refuses'],
  ['its port is refused, and nobody asked before', { answers: [refused] }, 'gone', 'its port refuses'],
  [
    'its port is refused a moment after its claim, and was bound before',
    { before, ...claimed, answers: [refusedAt(1)] },
    'gone',
    'its port refuses',
  ],
  ['its port is refused a moment after its claim', { ...claimed, answers: [refusedAt(5_000)] }, 'unknown', 'it may not have its port yet'],
  ['its port is refused when it must be bound', { ...claimed, answers: [refusedAt(5_001)] }, 'gone', 'its port refuses'],
  ['only our row knows the address, which refuses', { isAddressCurrent: false, answers: [refused] }, 'unknown', 'it may be elsewhere'],
  ['… which refuses and nobody listens', { isAddressCurrent: false, answers: [refused], listener: 'absent' }, 'gone', 'its port refuses'],
  ['… which refuses and answered for it a moment ago', { isAddressCurrent: false, before, answers: [refused] }, 'gone', 'its port refuses'],

  ['it started again', { before, answers: [at(0), at(2_000, restarted)] }, 'gone', 'it started again'],
  ['it started again and has a job', { before, answers: [at(2_000, { ...restarted, activeJobs: 1 })] }, 'gone', 'it started again'],
  ['it started after its claim, and nobody asked before', { ...claimed, answers: [at(6_000, restarted)] }, 'gone', 'it started again'],
  [
    'it started after its claim and was asked since',
    { ...claimed, before: at(5_500, restarted), answers: [at(6_000, restarted)] },
    'gone',
    'it started again',
  ],
  ['it started before its claim, and nobody asked before', { ...claimed, answers: [at(6_000)] }, 'alive', 'it answers'],
  ['its start differs by no more than jitter', { before, answers: [at(0, { startedAfterMs: startMs + 1_000 })] }, 'alive', 'it answers'],
  [
    'its answer came late, so that it may have started later',
    { before: at(0, { startedBeforeMs: startMs + 9_000 }), answers: [at(0, { startedAfterMs: startMs + 9_000 })] },
    'alive',
    'it answers',
  ],
  [
    'somebody else’s start differs',
    { before: at(0, other), answers: [at(0, { startedAfterMs: startMs + 10_000 })] },
    'alive',
    'it answers',
  ],

  [
    'somebody answers who started after it was seen',
    { before, answers: [at(0), at(6_000, { ...other, ...restarted })] },
    'gone',
    'another worker answers',
  ],
  ['somebody answers who ran already when it was seen', { before, answers: [at(2_000, other)] }, 'unknown', 'it may be elsewhere'],
  ['somebody answers where it was not seen', { answers: [at(6_000, { ...other, ...restarted })] }, 'unknown', 'it may be elsewhere'],
  [
    'somebody answers and nobody listens',
    { ...claimed, answers: [at(6_000, other)], listener: 'absent' },
    'gone',
    'another worker answers',
  ],
  [
    'somebody answers a moment after its claim and nobody listens',
    { ...claimed, answers: [at(5_000, other)], listener: 'absent' },
    'unknown',
    'it may not have its port yet',
  ],
])('when %s, its process is %s%s', (_what, more, is, because) => {
  expect(judgeProcess({ ...ending, ...more }, limits)).toEqual({ is, because });
});

const anyAnswer: Arbitrary<PortAnswer> = oneof(
  constant(refused),
  constant(silent),
  record({
    ms: integer({ min: 0, max: 4_000 }),
    workerId: constantFrom('worker-1', 'worker-2'),
    activeJobs: constantFrom(0, 1),
    startedAfterMs: constantFrom(startMs, startMs + limits.jitterMs, startMs + 50_000),
  }).map(({ ms, ...more }) => at(ms, more)),
);
const inOrder = (answers: PortAnswer[]): PortAnswer[] => {
  const times = answers.flatMap(({ kind, atMs }) => (kind === 'answers' ? [atMs] : [])).toSorted((one, another) => one - another);
  return answers.map((answer) => (answer.kind === 'answers' ? { ...answer, atMs: times.shift() ?? 0 } : answer));
};
const anyAnswers = array(anyAnswer, { minLength: 1, maxLength: 6 }).map(inOrder);
const runs = { numRuns: 5_000 };
const judge = (answers: PortAnswer[], more: Partial<ProcessEvidence> = {}): Liveness['is'] =>
  judgeProcess({ ...ending, before, ...more, answers }, limits).is;

describe('whatever the port said', () => {
  test('a process that answers with its old start time and a job is never called gone or idle', () => {
    const rule = property(
      anyAnswers,
      boolean(),
      (answers, knowsClaim) => judge([...answers, at(5_000)], { ranAtMs: knowsClaim ? claimedAtMs : null }) === 'alive',
    );
    expect(findCounterexample(rule, runs)).toBeNull();
  });

  test('silence at the end proves nothing', () => {
    const rule = property(anyAnswers, (answers) => judge([...answers, silent]) === 'unknown');
    expect(findCounterexample(rule, runs)).toBeNull();
  });

  test('an answer of another worker at the end proves nothing, unless it started after ours was seen there', () => {
    const rule = property(
      anyAnswers,
      integer({ min: startMs, max: claimedAtMs }),
      (answers, startedAfterMs) => judge([...answers, at(5_000, { ...other, ...idle, startedAfterMs })]) === 'unknown',
    );
    expect(findCounterexample(rule, runs)).toBeNull();
  });

  test('idle needs two answers of the worker itself, a second apart, and nobody else in between', () => {
    const rule = property(anyAnswers, (answers) => {
      if (judge(answers) !== 'idle') return true;
      const lastOther = answers.findLastIndex((answer) => answer.kind !== 'answers' || answer.workerId !== 'worker-1');
      const times = answers
        .slice(lastOther + 1)
        .flatMap((answer) => (answer.kind === 'answers' && answer.activeJobs === 0 ? [answer.atMs] : []));
      return Math.max(...times) - Math.min(...times) >= 1_000;
    });
    expect(findCounterexample(rule, runs)).toBeNull();
  });
});
