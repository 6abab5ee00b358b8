import { boolean, constantFrom, integer, property, record, type Arbitrary } from 'fast-check';
import { limits } from '../../../src/contracts/limits';
import { proveOwner, type OwnerFacts } from '../../../src/domain/owner-proof';
import type { OwnerProof } from '../../../src/domain/next-step';
import type { ListenerSight, PortAnswer } from '../../../src/domain/process-liveness';
import { answeringAt, findCounterexample, now } from './facts';

/** What the examination saw, in the words of these tables. */
interface Seen {
  port: PortAnswer;
  /** A second earlier. */
  wasIdle: boolean;
  listener: ListenerSight;
  unchangedSinceMs: number | null;
  claimedAtMs: number;
  heartbeatAgeMs: number | null;
}
const nowMs = now.getTime();
const refused: PortAnswer = { kind: 'refused', atMs: nowMs };
const silent: PortAnswer = { kind: 'silent', atMs: nowMs };
const answering = (more: Parameters<typeof answeringAt>[1] = {}): PortAnswer => answeringAt(nowMs, more);
const startedAt = (afterMs: number): PortAnswer => answering({ startedAfterMs: nowMs + afterMs });
const seen: Seen = {
  port: answering(),
  wasIdle: false,
  listener: 'absent',
  unchangedSinceMs: null,
  claimedAtMs: nowMs - 60_000,
  heartbeatAgeMs: 4_000,
};
const toFacts = ({ port, wasIdle, listener, claimedAtMs, unchangedSinceMs, heartbeatAgeMs }: Seen): OwnerFacts => {
  const first: PortAnswer = { ...answering({ activeJobs: wasIdle ? 0 : 1 }), atMs: nowMs - 1_000 };
  const boundByMs = claimedAtMs + limits.portBoundMs;
  const process = {
    workerId: 'worker-1',
    ranAtMs: claimedAtMs,
    boundByMs,
    before: null,
    answers: [first, port],
    listener,
    isAddressCurrent: false,
  };
  return { process, unchangedSinceMs, heartbeatAgeMs, askedAtMs: nowMs };
};
const prove = (more: Partial<Seen>): OwnerProof => proveOwner(toFacts({ ...seen, ...more }), limits);
const zombie: Partial<Seen> = { port: answering({ activeJobs: 0 }), wasIdle: true, heartbeatAgeMs: 40_000 };

describe('is the process that claimed an attempt still there', () => {
  test.each<[string, Partial<Seen>, OwnerProof]>([
    ['it answers and works', {}, 'alive'],
    ['it answers and works, with its listener', { listener: 'present' }, 'alive'],
    ['it answers and works while the row is silent', { heartbeatAgeMs: 4_000_000 }, 'alive'],
    ['its listener is there, its port is refused', { listener: 'present', port: refused }, 'alive'],
    ['its listener is there, its port is silent', { listener: 'present', port: silent }, 'alive'],
    ['the port is silent', { port: silent }, 'unknown'],
    ['the port is refused and no listener is left', { port: refused }, 'gone'],
    ['the port is refused and listeners cannot be read', { port: refused, listener: 'unreadable' }, 'unknown'],
    [
      'the port is refused a few seconds after the claim, when a fresh process may not have bound it yet',
      { port: refused, claimedAtMs: nowMs - 4_000 },
      'unknown',
    ],
    ['another worker answers and no listener is left', { port: answering({ workerId: 'worker-2' }) }, 'gone'],
    [
      'another worker answers and listeners cannot be read',
      { port: answering({ workerId: 'worker-2' }), listener: 'unreadable' },
      'unknown',
    ],
    ['it started after the claim', { port: startedAt(-30_000) }, 'gone'],
    ['it started after the claim, listeners cannot be read', { port: startedAt(-30_000), listener: 'unreadable' }, 'gone'],
    ['it started just after the claim', { port: startedAt(-59_899) }, 'gone'],
    ['its start lies within the jitter after the claim', { port: startedAt(-59_900) }, 'alive'],
    ['the port is refused and the row was beaten for until a few beats ago', { port: refused, heartbeatAgeMs: 30_000 }, 'gone'],
    [
      'the port is refused, and was so at a probe a few beats after the last one',
      { port: refused, heartbeatAgeMs: 50_000, unchangedSinceMs: nowMs - 20_000 },
      'gone',
    ],
    [
      'another worker answers, and did so at a probe a few beats after the last one',
      { port: answering({ workerId: 'worker-2' }), heartbeatAgeMs: 50_000, unchangedSinceMs: nowMs - 20_000 },
      'gone',
    ],
    [
      'the port is refused, and the first probe that said so came late',
      { port: refused, heartbeatAgeMs: 50_000, unchangedSinceMs: nowMs - 19_999 },
      'gone_in_silence',
    ],
    [
      'the port was refused when a fresh process had not bound it yet',
      { port: refused, heartbeatAgeMs: 55_000, unchangedSinceMs: nowMs - 55_000 },
      'gone_in_silence',
    ],
    ['the port is refused and the row was silent before', { port: refused, heartbeatAgeMs: 30_001 }, 'gone_in_silence'],
    [
      'another worker answers and the row was silent before',
      { port: answering({ workerId: 'worker-2' }), heartbeatAgeMs: 40_000 },
      'gone_in_silence',
    ],
    ['it restarted a moment after its last beat, long ago', { port: startedAt(-50_000), heartbeatAgeMs: 55_000 }, 'gone'],
    [
      'it restarted long after its last beat',
      { claimedAtMs: nowMs - 600_000, port: startedAt(-1_000), heartbeatAgeMs: 90_000 },
      'gone_in_silence',
    ],
    ['it restarted soon after the claim, and nobody ever beat for the row', { port: startedAt(-58_000), heartbeatAgeMs: null }, 'gone'],
    [
      'the port is refused long after the claim, and nobody ever beat for the row',
      { port: refused, heartbeatAgeMs: null },
      'gone_in_silence',
    ],
    ['it is idle, was idle a second ago, and the row is silent', zombie, 'idle'],
    ['it is idle and nobody ever beat for the row', { ...zombie, heartbeatAgeMs: null }, 'idle'],
    ['it is idle just now', { ...zombie, wasIdle: false }, 'alive'],
    ['it was idle a second ago and works now', { ...zombie, port: answering() }, 'alive'],
    ['it is idle and the row was beaten for a moment ago', { ...zombie, heartbeatAgeMs: 30_000 }, 'alive'],
  ])('%s', (_what, more, proof) => {
    expect(prove(more)).toBe(proof);
  });

  test('a silent row alone proves nothing', () => {
    const beats = constantFrom(null, 0, 29_999, 31_000, 86_400_000);
    expect(findCounterexample(property(beats, (heartbeatAgeMs) => prove({ heartbeatAgeMs }) === 'alive'))).toBeNull();
  });

  test('is never called gone or idle while its listener is there or its port says nothing', () => {
    expect(
      findCounterexample(
        property(anyOwner, constantFrom<Partial<Seen>>({ listener: 'present' }, { port: silent }), (owner, sign) => {
          return ['alive', 'unknown'].includes(prove({ ...owner, ...sign }));
        }),
      ),
    ).toBeNull();
  });

  test('is never called gone for want of a listener that we may not see', () => {
    expect(
      findCounterexample(
        property(anyOwner, (owner) => {
          if (!prove({ ...owner, listener: 'unreadable' }).startsWith('gone')) return true;
          // Then the start time alone says so.
          return owner.port.kind === 'answers' && owner.port.startedAfterMs > owner.claimedAtMs;
        }),
        { numRuns: 1_000 },
      ),
    ).toBeNull();
  });
});

const anyOwner: Arbitrary<Seen> = record({
  port: constantFrom(refused, silent, answering(), answering({ activeJobs: 0 }), answering({ workerId: 'worker-2' }), startedAt(-1_000)),
  wasIdle: boolean(),
  listener: constantFrom('present' as const, 'absent' as const, 'unreadable' as const),
  unchangedSinceMs: constantFrom(null, nowMs - 3_600_000, nowMs - 20_000),
  claimedAtMs: integer({ min: -7_200_000, max: 0 }).map((ms) => nowMs + ms),
  heartbeatAgeMs: constantFrom(null, 0, 29_999, 31_000, 86_400_000),
});
