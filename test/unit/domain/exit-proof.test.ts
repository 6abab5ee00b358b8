import { array, boolean, constant, constantFrom, integer, oneof, property, record, type Arbitrary } from 'fast-check';
import { provesExit, type PortSnapshot } from '../../../src/domain/exit-proof';
import { findCounterexample } from './facts';

const startMs = 1_000_000;
const claimedAtMs = startMs + 60_000;
const jitterMs = 1_000;
const own = { workerId: 'worker-1', claimedAtMs: null, jitterMs };

const answering = (more: Partial<Extract<PortSnapshot, { kind: 'answers' }>> = {}): PortSnapshot => ({
  kind: 'answers',
  workerId: 'worker-1',
  activeJobs: 1,
  processStartedAtMs: startMs,
  atMs: claimedAtMs,
  ...more,
});
const at = (ms: number, more: Partial<Extract<PortSnapshot, { kind: 'answers' }>> = {}): PortSnapshot =>
  answering({ atMs: claimedAtMs + ms, ...more });
const refused: PortSnapshot = { kind: 'refused' };
const silent: PortSnapshot = { kind: 'silent' };
const idle = { activeJobs: 0 };
const restarted = { ...idle, processStartedAtMs: claimedAtMs + 5_000 };

describe('the process that ran an attempt is', () => {
  test.each<[string, PortSnapshot, PortSnapshot[], ReturnType<typeof provesExit>]>([
    ['unproven before anybody probed', answering(), [], null],
    ['unproven while it works on, also in the second after its listener has gone', answering(), [at(0), at(500), at(999)], null],
    ['gone when its port is refused', answering(), [at(0), refused], 'gone'],
    ['gone when its port is refused at once', silent, [refused], 'gone'],
    ['gone when another start time answers', answering(), [at(0), at(2_000, restarted)], 'gone'],
    [
      'gone when another start time answers, whatever the new process works on',
      answering(),
      [at(2_000, { ...restarted, activeJobs: 1 })],
      'gone',
    ],
    ['unproven when the start time differs by no more than jitter', answering(), [at(0, { processStartedAtMs: startMs + jitterMs })], null],
    ['unproven when the port is silent', answering(), [silent, silent], null],
    ['unproven when the port was refused once and is silent now', answering(), [refused, silent], null],
    ['idle when it has no job twice, a second apart', answering(), [at(0, idle), at(1_000, idle)], 'idle'],
    ['unproven when it has no job once', answering(), [at(0, idle)], null],
    [
      'unproven when it has no job twice within a second, since its last writes are under way',
      answering(),
      [at(0, idle), at(999, idle)],
      null,
    ],
    ['unproven when it had a job in between', answering(), [at(0, idle), at(500), at(1_000, idle)], null],
    ['unproven when its port was silent in between', answering(), [at(0, idle), silent, at(1_000, idle)], null],
    [
      'gone when somebody answers in its place who started after it was seen there',
      answering(),
      [at(0), at(6_000, { workerId: 'worker-2', ...restarted })],
      'gone',
    ],
    [
      'unproven when somebody answers in its place who ran already when it was seen there',
      answering(),
      [at(0, { workerId: 'worker-2', ...idle }), at(2_000, { workerId: 'worker-2', ...idle })],
      null,
    ],
    [
      'unproven when somebody answers at an address where it was not seen',
      silent,
      [at(6_000, { workerId: 'worker-2', ...restarted })],
      null,
    ],
    [
      'unproven by the start of somebody else',
      answering({ workerId: 'worker-2' }),
      [at(0, { processStartedAtMs: startMs + 10_000 })],
      null,
    ],
  ])('%s', (_title, before, probes, proof) => {
    expect(provesExit(before, probes, own)).toBe(proof);
  });

  test('gone when it started after the claim and nobody could probe before', () => {
    expect(provesExit(silent, [at(6_000, restarted)], { ...own, claimedAtMs })).toBe('gone');
    expect(provesExit(silent, [at(6_000)], { ...own, claimedAtMs })).toBeNull();
  });

  test('gone when it started after the claim, also when the probe before already met the new process', () => {
    expect(provesExit(answering(restarted), [at(6_000, restarted)], { ...own, claimedAtMs })).toBe('gone');
  });
});

const anyProbe: Arbitrary<PortSnapshot> = oneof(
  constant(refused),
  constant(silent),
  record({
    kind: constant('answers' as const),
    workerId: constantFrom('worker-1', 'worker-2'),
    activeJobs: constantFrom(0, 1),
    processStartedAtMs: constantFrom(startMs, startMs + jitterMs, startMs + 50_000),
    atMs: integer({ min: 0, max: 4_000 }).map((ms) => claimedAtMs + ms),
  }),
);
const inOrder = (probes: PortSnapshot[]): PortSnapshot[] => {
  const times = probes.flatMap((probe) => (probe.kind === 'answers' ? [probe.atMs] : [])).toSorted((one, other) => one - other);
  return probes.map((probe) => (probe.kind === 'answers' ? { ...probe, atMs: times.shift() ?? 0 } : probe));
};
const anyProbes = array(anyProbe, { minLength: 1, maxLength: 6 }).map(inOrder);
const runs = { numRuns: 5_000 };

describe('whatever the port said', () => {
  test('a process that answers with its old start time and a job is never called gone or idle', () => {
    const rule = property(anyProbes, boolean(), (probes, knowsClaim) => {
      const proof = provesExit(answering(), [...probes, at(5_000)], { ...own, claimedAtMs: knowsClaim ? claimedAtMs : null });
      return proof === null;
    });
    expect(findCounterexample(rule, runs)).toBeNull();
  });

  test('silence at the end proves nothing', () => {
    const rule = property(anyProbes, (probes) => provesExit(answering(), [...probes, silent], own) === null);
    expect(findCounterexample(rule, runs)).toBeNull();
  });

  test('an answer of another worker at the end proves nothing, unless it started after ours was seen there', () => {
    const rule = property(
      anyProbes,
      integer({ min: startMs, max: claimedAtMs }),
      (probes, processStartedAtMs) =>
        provesExit(answering(), [...probes, at(5_000, { workerId: 'worker-2', ...idle, processStartedAtMs })], own) === null,
    );
    expect(findCounterexample(rule, runs)).toBeNull();
  });

  test('idle needs two answers of the worker itself, a second apart', () => {
    const rule = property(anyProbes, (probes) => {
      if (provesExit(answering(), probes, own) !== 'idle') return true;
      const times = probes.flatMap((probe) =>
        probe.kind === 'answers' && probe.workerId === 'worker-1' && probe.activeJobs === 0 ? [probe.atMs] : [],
      );
      return Math.max(...times) - Math.min(...times) >= 1_000;
    });
    expect(findCounterexample(rule, runs)).toBeNull();
  });

  test('idle is never the verdict of a run in which another worker answered', () => {
    const rule = property(anyProbes, (probes) => {
      if (provesExit(answering(), probes, own) !== 'idle') return true;
      const lastOther = probes.findLastIndex((probe) => probe.kind === 'answers' && probe.workerId !== 'worker-1');
      const since = probes.slice(lastOther + 1).flatMap((probe) => (probe.kind === 'answers' ? [probe.atMs] : []));
      return Math.max(...since) - Math.min(...since) >= 1_000;
    });
    expect(findCounterexample(rule, runs)).toBeNull();
  });
});
