import { boolean, constantFrom, integer, property, record, type Arbitrary } from 'fast-check';
import { limits } from '../../../src/contracts/limits';
import { proveOwner, type OwnerFacts } from '../../../src/domain/owner-proof';
import type { OwnerProof } from '../../../src/domain/next-step';
import { after, now, findCounterexample } from './facts';

const claimedAt = after(-60_000);
const answering = (more: Partial<Extract<OwnerFacts['port'], { kind: 'answers' }>> = {}): OwnerFacts['port'] => ({
  kind: 'answers',
  workerId: 'worker-1',
  activeJobs: 1,
  processStartedAt: after(-3_600_000),
  ...more,
});
const makeOwner = (more: Partial<OwnerFacts> = {}): OwnerFacts => ({
  port: answering(),
  listener: 'absent',
  unchangedSince: null,
  workerId: 'worker-1',
  claimedAt,
  askedAt: now,
  heartbeatAgeMs: 4_000,
  wasIdleBefore: false,
  ...more,
});
const zombie: Partial<OwnerFacts> = { port: answering({ activeJobs: 0 }), wasIdleBefore: true, heartbeatAgeMs: 40_000 };

describe('is the process that claimed an attempt still there', () => {
  test.each<[string, Partial<OwnerFacts>, OwnerProof]>([
    ['it answers and works', {}, 'alive'],
    ['it answers and works, with its listener', { listener: 'present' }, 'alive'],
    ['it answers and works while the row is silent', { heartbeatAgeMs: 4_000_000 }, 'alive'],
    ['its listener is there, its port is refused', { listener: 'present', port: { kind: 'refused' } }, 'alive'],
    ['its listener is there, its port is silent', { listener: 'present', port: { kind: 'silent' } }, 'alive'],
    ['the port is silent', { port: { kind: 'silent' } }, 'unknown'],
    ['the port is refused and no listener is left', { port: { kind: 'refused' } }, 'gone'],
    ['the port is refused and listeners cannot be read', { port: { kind: 'refused' }, listener: 'unreadable' }, 'unknown'],
    ['another worker answers and no listener is left', { port: answering({ workerId: 'worker-2' }) }, 'gone'],
    [
      'another worker answers and listeners cannot be read',
      { port: answering({ workerId: 'worker-2' }), listener: 'unreadable' },
      'unknown',
    ],
    ['it started after the claim', { port: answering({ processStartedAt: after(-30_000) }) }, 'gone'],
    [
      'it started after the claim, listeners cannot be read',
      { port: answering({ processStartedAt: after(-30_000) }), listener: 'unreadable' },
      'gone',
    ],
    ['it started just after the claim', { port: answering({ processStartedAt: after(-59_899) }) }, 'gone'],
    ['its start lies within the jitter after the claim', { port: answering({ processStartedAt: after(-59_900) }) }, 'alive'],
    ['the port is refused and the row was beaten for until a few beats ago', { port: { kind: 'refused' }, heartbeatAgeMs: 30_000 }, 'gone'],
    [
      'the port is refused, and was so at a probe a few beats after the last one',
      { port: { kind: 'refused' }, heartbeatAgeMs: 50_000, unchangedSince: after(-20_000) },
      'gone',
    ],
    [
      'another worker answers, and did so at a probe a few beats after the last one',
      { port: answering({ workerId: 'worker-2' }), heartbeatAgeMs: 50_000, unchangedSince: after(-20_000) },
      'gone',
    ],
    [
      'the port is refused, and the first probe that said so came late',
      { port: { kind: 'refused' }, heartbeatAgeMs: 50_000, unchangedSince: after(-19_999) },
      'gone_in_silence',
    ],
    [
      'the port was refused when a fresh process had not bound it yet',
      { port: { kind: 'refused' }, heartbeatAgeMs: 55_000, unchangedSince: after(-55_000) },
      'gone_in_silence',
    ],
    ['the port is refused and the row was silent before', { port: { kind: 'refused' }, heartbeatAgeMs: 30_001 }, 'gone_in_silence'],
    [
      'another worker answers and the row was silent before',
      { port: answering({ workerId: 'worker-2' }), heartbeatAgeMs: 40_000 },
      'gone_in_silence',
    ],
    [
      'it restarted a moment after its last beat, long ago',
      { port: answering({ processStartedAt: after(-50_000) }), heartbeatAgeMs: 55_000 },
      'gone',
    ],
    [
      'it restarted long after its last beat',
      { claimedAt: after(-600_000), port: answering({ processStartedAt: after(-1_000) }), heartbeatAgeMs: 90_000 },
      'gone_in_silence',
    ],
    [
      'it restarted soon after the claim, and nobody ever beat for the row',
      { port: answering({ processStartedAt: after(-58_000) }), heartbeatAgeMs: null },
      'gone',
    ],
    [
      'the port is refused long after the claim, and nobody ever beat for the row',
      { port: { kind: 'refused' }, heartbeatAgeMs: null },
      'gone_in_silence',
    ],
    ['it is idle, was idle a second ago, and the row is silent', zombie, 'idle'],
    ['it is idle and nobody ever beat for the row', { ...zombie, heartbeatAgeMs: null }, 'idle'],
    ['it is idle just now', { ...zombie, wasIdleBefore: false }, 'alive'],
    ['it was idle a second ago and works now', { ...zombie, port: answering() }, 'alive'],
    ['it is idle and the row was beaten for a moment ago', { ...zombie, heartbeatAgeMs: 30_000 }, 'alive'],
  ])('%s', (_what, seen, proof) => {
    expect(proveOwner(makeOwner(seen), limits)).toBe(proof);
  });

  test('a silent row alone proves nothing', () => {
    const beats = constantFrom(null, 0, 29_999, 31_000, 86_400_000);
    expect(
      findCounterexample(property(beats, (heartbeatAgeMs) => proveOwner(makeOwner({ heartbeatAgeMs }), limits) === 'alive')),
    ).toBeNull();
  });

  test('is never called gone or idle while its listener is there or its port says nothing', () => {
    expect(
      findCounterexample(
        property(anyOwner, constantFrom<Partial<OwnerFacts>>({ listener: 'present' }, { port: { kind: 'silent' } }), (owner, sign) => {
          return ['alive', 'unknown'].includes(proveOwner({ ...owner, ...sign }, limits));
        }),
      ),
    ).toBeNull();
  });

  test('is never called gone for want of a listener that we may not see', () => {
    expect(
      findCounterexample(
        property(anyOwner, (owner) => {
          const seen = { ...owner, listener: 'unreadable' as const };
          if (!proveOwner(seen, limits).startsWith('gone')) return true;
          // Then the start time alone says so.
          return seen.port.kind === 'answers' && seen.port.processStartedAt > seen.claimedAt;
        }),
        { numRuns: 1_000 },
      ),
    ).toBeNull();
  });
});

const anyOwner: Arbitrary<OwnerFacts> = record({
  port: constantFrom<OwnerFacts['port']>(
    { kind: 'refused' },
    { kind: 'silent' },
    answering(),
    answering({ activeJobs: 0 }),
    answering({ workerId: 'worker-2' }),
    answering({ processStartedAt: after(-1_000) }),
  ),
  listener: constantFrom('present' as const, 'absent' as const, 'unreadable' as const),
  unchangedSince: constantFrom(null, after(-3_600_000), after(-20_000)),
  workerId: constantFrom('worker-1'),
  claimedAt: integer({ min: -7_200_000, max: 0 }).map(after),
  askedAt: constantFrom(now),
  heartbeatAgeMs: constantFrom(null, 0, 29_999, 31_000, 86_400_000),
  wasIdleBefore: boolean(),
});
