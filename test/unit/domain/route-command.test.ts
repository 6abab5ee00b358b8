import { boolean, constant, constantFrom, option, property, record, array, type Arbitrary } from 'fast-check';
import type { Route, RouteTaken } from '../../../src/contracts/command';
import { fallbackMessage, routeCommand, routeLevel, type RegisteredWorker, type RouteFacts } from '../../../src/domain/route-command';
import { after, findCounterexample } from './facts';

type Attempt = NonNullable<RouteFacts['attempt']>;

const makeAttempt = (more: Partial<Attempt> = {}): Attempt => ({
  attemptId: 'attempt-1',
  claimedBy: 'worker-1',
  target: 'worker-1',
  host: '10.0.0.1',
  instanceId: 'i-1',
  ...more,
});

const makeWorker = (more: Partial<RegisteredWorker> = {}): RegisteredWorker => ({
  workerId: 'worker-1',
  host: '10.0.0.1',
  instanceId: 'i-1',
  isLive: true,
  registeredAt: after(-3_600_000),
  ...more,
});

const makeFacts = (more: Partial<RouteFacts> = {}): RouteFacts => ({
  attempt: makeAttempt(),
  registry: [makeWorker()],
  sandboxHost: null,
  listener: 'present',
  isOwnerProvenAlive: false,
  ...more,
});

const lookUpsOf = ({ steps }: RouteTaken): string[] => steps.map(({ lookedUp, level }) => `${lookedUp} ${level}`);
const reasonOf = (taken: RouteTaken, lookedUp: string): string | undefined =>
  taken.steps.find((step) => step.lookedUp === lookedUp)?.reason;

describe('a cancel goes', () => {
  test.each<[string, Partial<RouteFacts>, Route, string | null, 'info' | 'warn' | 'error']>([
    ['to the row when no worker ever had the job', { attempt: null }, 'row', null, 'info'],
    ['to the worker that claimed it', {}, 'owner', '10.0.0.1', 'info'],
    ['to its target while nobody has claimed it', { attempt: makeAttempt({ claimedBy: null }) }, 'owner', '10.0.0.1', 'info'],
    [
      'to who claimed it, whomever it was meant for',
      {
        attempt: makeAttempt({ target: 'worker-2' }),
        registry: [makeWorker({ workerId: 'worker-2', host: '10.0.0.2', instanceId: 'i-2' }), makeWorker()],
      },
      'owner',
      '10.0.0.1',
      'info',
    ],
    [
      'to the one of several workers of a host that claimed it',
      { registry: [makeWorker({ workerId: 'worker-1b', registeredAt: after(-1) }), makeWorker(), makeWorker({ workerId: 'worker-1c' })] },
      'owner',
      '10.0.0.1',
      'info',
    ],
    ['to the owner at the new address of its instance', { registry: [makeWorker({ host: '10.0.0.77' })] }, 'owner', '10.0.0.77', 'info'],
    [
      'to no twin: the registry names another machine than the one that claimed, and its listener is left',
      { registry: [makeWorker({ host: '10.0.0.2', instanceId: 'i-2' })] },
      'database',
      null,
      'error',
    ],
    [
      'to no namesake on an address that another instance uses now',
      { registry: [makeWorker({ instanceId: 'i-9' })] },
      'database',
      null,
      'error',
    ],
    ['to the owner by its address where no instance is known', { attempt: makeAttempt({ instanceId: null }) }, 'owner', '10.0.0.1', 'info'],
    ['to the owner where a sandbox is known too', { sandboxHost: '10.9.9.9' }, 'owner', '10.0.0.1', 'info'],
    ['to the owner whose queries are hidden from us', { listener: 'unreadable' }, 'owner', '10.0.0.1', 'info'],
    [
      'to the successor when its worker is back under a new id on the same machine',
      { registry: [makeWorker({ isLive: false }), makeWorker({ workerId: 'worker-1-new', registeredAt: after(-1_000) })] },
      'successor',
      '10.0.0.1',
      'error',
    ],
    [
      'to the successor at the new address of the same instance',
      { registry: [makeWorker({ workerId: 'worker-1-new', host: '10.0.0.77' })] },
      'successor',
      '10.0.0.77',
      'error',
    ],
    [
      'to the successor on the same address where no instance is known',
      { attempt: makeAttempt({ instanceId: null }), registry: [makeWorker({ workerId: 'worker-1-new', instanceId: null })] },
      'successor',
      '10.0.0.1',
      'error',
    ],
    [
      'to nobody who got the address as another instance',
      { registry: [makeWorker({ workerId: 'stranger', instanceId: 'i-2' })], listener: 'absent' },
      'parked',
      '10.0.0.1',
      'error',
    ],
    [
      'to no stranger that shares nothing but the word for an unknown instance (ghosthands §2.3)',
      {
        attempt: makeAttempt({ instanceId: 'unknown' }),
        registry: [makeWorker({ workerId: 'stranger', host: '10.0.0.2', instanceId: 'unknown' })],
        listener: 'absent',
      },
      'parked',
      '10.0.0.1',
      'error',
    ],
    [
      'to no twin that shares nothing but that word',
      { attempt: makeAttempt({ instanceId: 'unknown' }), registry: [makeWorker({ host: '10.0.0.2', instanceId: 'unknown' })] },
      'database',
      null,
      'error',
    ],
    [
      'to the database rather than to a stranger at the old address',
      { registry: [makeWorker({ workerId: 'stranger', instanceId: 'i-2' })] },
      'database',
      null,
      'error',
    ],
    [
      'to no offline worker of the same machine',
      { registry: [makeWorker({ workerId: 'worker-1-new', isLive: false })], listener: 'absent' },
      'parked',
      '10.0.0.1',
      'error',
    ],
    [
      'to the sandbox of its machine when nobody is registered there',
      { registry: [], sandboxHost: '10.9.9.9' },
      'sandbox',
      '10.9.9.9',
      'error',
    ],
    ['to the listener in the database when the registry knows nothing', { registry: [] }, 'database', null, 'error'],
    ['to a parking place when nothing is left', { registry: [], listener: 'absent' }, 'parked', '10.0.0.1', 'error'],
    ['to a parking place when the queries of others are hidden', { registry: [], listener: 'unreadable' }, 'parked', '10.0.0.1', 'error'],
    [
      'past a registry that was never asked when the attempt names no worker',
      { attempt: makeAttempt({ claimedBy: null, target: null }), registry: [] },
      'database',
      null,
      'warn',
    ],
  ])('%s', (_title, more, route, host, level) => {
    const taken = routeCommand('cancel', makeFacts(more));
    expect(taken).toMatchObject({ route, host, attemptId: more.attempt === null ? null : 'attempt-1' });
    expect(routeLevel(taken)).toBe(level);
  });
});

describe('the registry step of a fallback names its reason', () => {
  test.each<[string, readonly RegisteredWorker[], string]>([
    ['a worker that it does not know', [], 'workerId not found in gh_worker_registry'],
    ['only others of the machine', [makeWorker({ workerId: 'worker-9' })], 'workerId not found in gh_worker_registry'],
    ['an offline or silent row', [makeWorker({ isLive: false })], 'its registry row is offline or silent'],
    ['a row without an address', [makeWorker({ host: null })], 'its registry row has no address'],
  ])('%s', (_title, registry, reason) => {
    const taken = routeCommand('cancel', makeFacts({ registry }));
    expect(reasonOf(taken, 'registry')).toBe(reason);
    expect(taken.steps.find(({ lookedUp }) => lookedUp === 'registry')?.level).toBe('error');
  });

  test('hidden queries are called so, and not "no listener"', () => {
    const facts = makeFacts({ registry: [] });
    expect(routeCommand('cancel', { ...facts, listener: 'unreadable' }).reason).toBe('the queries of other backends are hidden from us');
    expect(routeCommand('cancel', { ...facts, listener: 'absent' }).reason).toBe('no cancel listener of it in the database');
  });

  test('every look-up on the way down is there, in order', () => {
    expect(lookUpsOf(routeCommand('cancel', makeFacts({ registry: [], listener: 'absent' })))).toEqual([
      'handover info',
      'worker_id info',
      'registry error',
      'successor warn',
      'sandbox warn',
      'database warn',
    ]);
  });

  test('of several successors the newest is taken, and of two machines the one with the same instance', () => {
    const older = makeWorker({ workerId: 'older', registeredAt: after(-2_000) });
    const newer = makeWorker({ workerId: 'newer', registeredAt: after(-1_000) });
    const sameAddress = makeWorker({ workerId: 'newest', instanceId: null, registeredAt: after(-1) });
    expect(routeCommand('cancel', makeFacts({ registry: [older, newer, sameAddress] })).reason).toContain('newer');
  });
});

describe('a resume', () => {
  test('goes to the worker that owns the job', () => {
    expect(routeCommand('resume', makeFacts())).toMatchObject({ route: 'owner', workerId: 'worker-1' });
  });

  test('uses no fallback while its owner is not proven alive, since another process cannot answer for it', () => {
    const facts = makeFacts({ registry: [makeWorker({ workerId: 'worker-1-new' })], sandboxHost: '10.9.9.9' });
    const taken = routeCommand('resume', facts);
    expect(taken).toMatchObject({ route: 'parked', reason: 'its owner is gone' });
    expect(lookUpsOf(taken)).toEqual(['handover info', 'worker_id info', 'registry error', 'database warn']);
  });

  test('goes by a fallback to an owner that is proven alive', () => {
    const facts = makeFacts({ registry: [], isOwnerProvenAlive: true });
    expect(routeCommand('resume', facts)).toMatchObject({ route: 'database', attemptId: 'attempt-1', workerId: 'worker-1' });
  });
});

const workerId = constantFrom('worker-1', 'worker-2', 'worker-3');
const host = option(constantFrom('10.0.0.1', '10.0.0.2'), { nil: null });
const instanceId = option(constantFrom('i-1', 'i-2'), { nil: null });
const anyFacts: Arbitrary<RouteFacts> = record({
  attempt: option(
    record({
      attemptId: constant('attempt-1'),
      claimedBy: option(workerId, { nil: null }),
      target: option(workerId, { nil: null }),
      host,
      instanceId,
    }),
    { nil: null },
  ),
  registry: array(record({ workerId, host, instanceId, isLive: boolean(), registeredAt: constantFrom(after(-2), after(-1)) }), {
    maxLength: 4,
  }),
  sandboxHost: constantFrom(null, '10.9.9.9'),
  listener: constantFrom('present', 'absent', 'unreadable'),
  isOwnerProvenAlive: boolean(),
});
const kind = constantFrom('cancel', 'resume');
const runs = { numRuns: 5_000 };

describe('whatever was looked up', () => {
  test('P4: every route but row and owner has a step that warns', () => {
    const rule = property(kind, anyFacts, (command, facts) => {
      const taken = routeCommand(command, facts);
      return ['row', 'owner'].includes(taken.route) === (routeLevel(taken) === 'info');
    });
    expect(findCounterexample(rule, runs)).toBeNull();
  });

  test('P4: the last step says where it went and why', () => {
    const rule = property(kind, anyFacts, (command, facts) => {
      const taken = routeCommand(command, facts);
      const last = taken.steps.at(-1);
      return last !== undefined && last.reason !== '' && taken.reason !== '' && (taken.route !== 'parked' || last.found === null);
    });
    expect(findCounterexample(rule, runs)).toBeNull();
  });

  test('P4: a command is fenced by the attempt, and the worker it names is the one that has it', () => {
    const rule = property(kind, anyFacts, (command, facts) => {
      const taken = routeCommand(command, facts);
      const { attempt } = facts;
      if (attempt === null) return taken.route === 'row' && taken.attemptId === null && taken.workerId === null;
      return taken.attemptId === attempt.attemptId && taken.workerId === (attempt.claimedBy ?? attempt.target);
    });
    expect(findCounterexample(rule, runs)).toBeNull();
  });

  test('an offline worker gets nothing, neither as owner nor as successor', () => {
    const rule = property(kind, anyFacts, (command, facts) => {
      const { route, host: at } = routeCommand(command, facts);
      return !['owner', 'successor'].includes(route) || facts.registry.some((row) => row.isLive && row.host === at && at !== null);
    });
    expect(findCounterexample(rule, runs)).toBeNull();
  });

  test('no address that a known other instance uses now is taken for the machine of the attempt', () => {
    const rule = property(anyFacts, (facts) => {
      const taken = routeCommand('cancel', facts);
      const known = facts.attempt?.instanceId ?? null;
      return taken.route !== 'successor' || known === null || taken.instanceId === null || taken.instanceId === known;
    });
    expect(findCounterexample(rule, runs)).toBeNull();
  });

  test('a resume takes a fallback only while its owner is proven alive', () => {
    const rule = property(anyFacts, (facts) => {
      const { route } = routeCommand('resume', facts);
      return ['row', 'owner', 'parked'].includes(route) || facts.isOwnerProvenAlive;
    });
    expect(findCounterexample(rule, runs)).toBeNull();
  });
});

test('the warning is the incumbent one, letter for letter', () => {
  expect(fallbackMessage).toBe('Fleet routing fallback — cancel/resume may reach wrong EC2');
});
