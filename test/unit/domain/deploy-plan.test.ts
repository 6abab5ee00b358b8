import { array, assert, constantFrom, integer, nat, property, record } from 'fast-check';
import { defaultStrategy, deployHostStates, type DeployHost, type DeployPhase } from '../../../src/contracts/deploy';
import {
  batchesToTakeBack,
  canCompensate,
  compensationPhase,
  currentBatch,
  findForeignChange,
  helplessHosts,
  illHosts,
  judgeWayBack,
  mustKeepVerified,
  outcomeOf,
  phaseAfter,
  planBatches,
  planCompensation,
  touchedHosts,
  type DeployFacts,
} from '../../../src/domain/deploy-plan';

const host = (name: string, state: DeployHost['state'] = 'held', more: Partial<DeployHost> = {}): DeployHost => ({
  host: name,
  roles: ['web', 'workers'],
  batch: 0,
  state,
  versionBefore: 'v1',
  versionNow: 'v1',
  detail: '',
  ...more,
});

const facts = (more: Partial<DeployFacts> = {}): DeployFacts => ({
  phase: 'verify',
  direction: 'forward',
  strategy: { ...defaultStrategy, canaryHosts: 0 },
  isDryRun: false,
  approvedBy: null,
  cancelRequestedBy: null,
  checks: [],
  hosts: [host('a', 'verified')],
  ...more,
});

describe('the batches', () => {
  test.each<[what: string, hosts: number, canaryHosts: number, batchHosts: number, batches: number[]]>([
    ['one canary, then the rest', 4, 1, 0, [0, 1, 1, 1]],
    ['no canary: all at once', 3, 0, 0, [0, 0, 0]],
    ['a canary and pairs', 6, 1, 2, [0, 1, 1, 2, 2, 3]],
    ['no canary, one by one', 3, 0, 1, [0, 1, 2]],
    ['one host is its own canary', 1, 1, 0, [0]],
    ['a canary larger than the fleet', 2, 5, 1, [0, 0]],
    ['no host', 0, 1, 1, []],
  ])('%s', (_what, count, canaryHosts, batchHosts, batches) => {
    const hosts = Array.from({ length: count }, (_, index) => ({ host: `h${index}` }));
    expect(planBatches(hosts, { canaryHosts, batchHosts }).map(({ batch }) => batch)).toEqual(batches);
  });

  test('leave out no host, keep their order, skip no number, and hold no more hosts than wanted', () => {
    assert(
      property(nat({ max: 40 }), nat({ max: 10 }), nat({ max: 10 }), (count, canaryHosts, batchHosts) => {
        const hosts = Array.from({ length: count }, (_, index) => ({ host: `h${index}` }));
        const planned = planBatches(hosts, { canaryHosts, batchHosts });
        expect(planned.map((each) => each.host)).toEqual(hosts.map((each) => each.host));
        const numbers = planned.map(({ batch }) => batch);
        expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
        expect(new Set(numbers).size).toBe(Math.max(0, ...numbers.map((number) => number + 1)));
        const sizes = [...new Set(numbers)].map((batch) => numbers.filter((number) => number === batch).length);
        for (const [batch, size] of sizes.entries())
          expect(size).toBeLessThanOrEqual(batch === 0 && canaryHosts > 0 ? canaryHosts : batchHosts === 0 ? count : batchHosts);
      }),
    );
  });
});

describe('the next phase', () => {
  const twoBatches = [host('a', 'verified'), host('b', 'held', { batch: 1 })];
  const soaking = { ...defaultStrategy, soakSeconds: 60 };
  test.each<[what: string, deploy: Partial<DeployFacts>, next: DeployPhase]>([
    ['a dry run ends after its preflight', { phase: 'preflight', isDryRun: true }, 'release'],
    ['an approval is asked for once', { phase: 'preflight', strategy: { ...defaultStrategy, needsApproval: true } }, 'approval'],
    ['after an approval everything is looked at again', { phase: 'approval', approvedBy: 'zoe' }, 'preflight'],
    [
      'an approved one is not asked for again',
      { phase: 'preflight', approvedBy: 'zoe', strategy: { ...defaultStrategy, needsApproval: true } },
      'hold',
    ],
    ['without one it goes on', { phase: 'preflight' }, 'hold'],
    ['the lock comes after the drain', { phase: 'drain' }, 'lock'],
    ['and just before the first stop', { phase: 'lock' }, 'stop'],
    ['a verified canary soaks', { hosts: twoBatches, strategy: soaking }, 'soak'],
    ['no other batch does', { hosts: [host('a', 'verified'), host('b', 'verified', { batch: 1 })], strategy: soaking }, 'release'],
    ['without a soak the next batch follows', { hosts: twoBatches }, 'stop'],
    ['after the soak too', { phase: 'soak', hosts: twoBatches, strategy: soaking }, 'stop'],
    ['when all are verified the lock is released', {}, 'release'],
    ['what was put back is released', { phase: 'compensate', direction: 'back' }, 'release'],
  ])('%s', (_what, deploy, next) => {
    expect(phaseAfter(facts(deploy))).toBe(next);
  });
});

describe('the way back', () => {
  test.each<[what: string, hosts: DeployHost[], phase: DeployPhase]>([
    ['leads through the hosts that were touched', [host('a', 'stopped'), host('b', 'held')], 'compensate'],
    ['is short where none was', [host('a', 'held'), host('b', 'waiting')], 'release'],
    ['is short where nothing is planned yet', [], 'release'],
    ['is not gone twice', [host('a', 'put_back')], 'release'],
  ])('%s', (_what, hosts, phase) => {
    expect(compensationPhase({ hosts })).toBe(phase);
  });

  test('puts back hosts of one version together, and each to what ran there', () => {
    const hosts = [
      host('a', 'verified'),
      host('b', 'failed', { versionBefore: 'v0' }),
      host('c', 'stopped'),
      host('d', 'stopped', { versionBefore: null }),
      host('e', 'held'),
    ];
    expect(planCompensation(hosts)).toEqual([
      { versionBefore: 'v1', hosts: ['a', 'c'] },
      { versionBefore: 'v0', hosts: ['b'] },
      { versionBefore: null, hosts: ['d'] },
    ]);
  });

  test('cannot begin at a release, nor a second time', () => {
    expect([
      canCompensate({ phase: 'release', direction: 'forward' }),
      canCompensate({ phase: 'compensate', direction: 'back' }),
      canCompensate({ phase: 'soak', direction: 'forward' }),
      canCompensate({ phase: 'preflight', direction: 'forward' }),
    ]).toEqual([false, false, true, true]);
  });

  test('names every touched host exactly once', () => {
    assert(
      property(
        array(record({ state: constantFrom(...deployHostStates), versionBefore: constantFrom('v1', 'v0', null) }), {
          maxLength: 12,
        }),
        (states) => {
          const hosts = states.map(({ state, versionBefore }, index) => host(`h${index}`, state, { versionBefore }));
          const named = planCompensation(hosts).flatMap((group) => group.hosts);
          expect(named.toSorted()).toEqual(
            touchedHosts(hosts)
              .map((each) => each.host)
              .toSorted(),
          );
        },
      ),
    );
  });
});

describe('at a mixed fleet', () => {
  const mixed = [host('a', 'verified'), host('b', 'failed', { batch: 1 })];
  test.each<[what: string, more: Partial<DeployFacts>, isKept: boolean]>([
    ['a verified host keeps the new version where another cannot be helped', { hosts: mixed }, true],
    ['it goes back with the others where all could be helped', { hosts: [host('a', 'verified'), host('b', 'put_back')] }, false],
    ['one that is stopped still waits for help', { hosts: [host('a', 'verified'), host('b', 'stopped')] }, true],
    ['one that runs the new version, unproven, needs none', { hosts: [host('a', 'verified'), host('b', 'deployed')] }, false],
    ['it goes back where the deploy says so', { hosts: mixed, strategy: { ...defaultStrategy, onMixedFleet: 'put_back' } }, false],
    ['it goes back where a person has cancelled', { hosts: mixed, cancelRequestedBy: 'zoe' }, false],
  ])('%s', (_what, more, isKept) => {
    expect(mustKeepVerified(facts(more))).toBe(isKept);
  });

  test('the last batch is taken back first, whole, and no host that runs nothing is among them', () => {
    const hosts = [
      host('a', 'verified'),
      host('b', 'deployed', { batch: 1 }),
      host('c', 'verified', { batch: 1 }),
      host('d', 'failed', { batch: 2 }),
      host('e', 'held', { batch: 2 }),
    ];
    expect(batchesToTakeBack(hosts)).toEqual([['b', 'c'], ['a']]);
    expect(helplessHosts(hosts).map((each) => each.host)).toEqual(['d']);
    expect(illHosts(hosts).map((each) => each.host)).toEqual(['b', 'd']);
  });

  test('every touched host is either helped or taken back, and none is both', () => {
    assert(
      property(array(constantFrom(...deployHostStates), { maxLength: 12 }), (states) => {
        const hosts = states.map((state, index) => host(`h${index}`, state, { batch: index % 3 }));
        const named = [...helplessHosts(hosts).map((each) => each.host), ...batchesToTakeBack(hosts).flat()];
        expect(named.toSorted()).toEqual(
          touchedHosts(hosts)
            .map((each) => each.host)
            .toSorted(),
        );
      }),
    );
  });
});

const runs = (...versions: string[]) => versions.map((version, index) => ({ role: ['web', 'workers'][index] ?? '', version }));
const roles = ['web', 'workers'];

test.each<[is: ReturnType<typeof judgeWayBack>, running: string[] | null, versionBefore: string | null]>([
  ['unread', null, 'v1'],
  ['is_back', ['v1', 'v1'], 'v1'],
  ['is_back', [], null],
  ['start', [], 'v1'],
  ['start', ['v2', 'v2'], 'v1'],
  ['start', ['v1', 'v2'], 'v1'],
  ['start', ['v1'], 'v1'],
  ['start', ['v2'], null],
  ['foreign', ['v3', 'v3'], 'v1'],
  ['foreign', ['v1', 'v3'], 'v1'],
  ['foreign', ['v1'], null],
])('on the way back a host is %s that runs %p and ran %p before', (is, running, versionBefore) => {
  expect(judgeWayBack({ running: running === null ? null : runs(...running), roles, wanted: 'v2', versionBefore })).toBe(is);
});

test.each<[state: DeployHost['state'], running: string[] | null, found: string | null]>([
  ['verified', ['v2', 'v2'], null],
  ['verified', ['v3', 'v3'], 'v3 runs instead of v2'],
  ['verified', ['v1', 'v1'], 'v1 runs instead of v2'],
  ['verified', null, null],
  ['held', ['v1', 'v1'], null],
  ['held', ['v2', 'v2'], 'v2 runs instead of v1'],
  ['held', [], 'nothing runs instead of v1'],
  ['stopped', [], null],
  ['stopped', ['v1', 'v1'], null],
  ['deployed', ['v2', 'v2'], null],
  ['stopped', ['v3', 'v3'], 'v3 runs instead of v2'],
])('after a time without the lock a host that was %s and runs %p: %p', (state, running, found) => {
  expect(findForeignChange(host('a', state), running === null ? null : runs(...running), 'v2')).toBe(found);
});

describe('the outcome', () => {
  const back: Partial<DeployFacts> = { direction: 'back', phase: 'release', hosts: [host('a')] };
  const refused = (check: string) => [{ check, host: null, isOk: false, detail: 'x' }];
  test.each<[outcome: string, what: string, deploy: Partial<DeployFacts>]>([
    ['succeeded', 'all are verified', { phase: 'release' }],
    ['succeeded', 'a cancel came when all were verified', { phase: 'release', cancelRequestedBy: 'zoe' }],
    ['planned', 'a dry run', { phase: 'release', isDryRun: true, hosts: [host('a', 'waiting')] }],
    ['refused', 'a check failed', { ...back, checks: refused('image') }],
    ['refused', 'nothing says more', { ...back }],
    ['rejected', 'a person said no', { ...back, checks: refused('approval') }],
    ['aborted', 'jobs were left at the deadline', { ...back, checks: refused('drain') }],
    ['cancelled', 'a person wanted it, and nothing was touched', { ...back, cancelRequestedBy: 'zoe' }],
    ['rolled_back', 'a person wanted it, and hosts were touched', { ...back, cancelRequestedBy: 'zoe', hosts: [host('a', 'put_back')] }],
    ['rolled_back', 'all that was touched is back', { ...back, hosts: [host('a', 'put_back'), host('b')] }],
    ['broken', 'one is not', { ...back, hosts: [host('a', 'put_back'), host('b', 'failed')] }],
  ])('is %s when %s', (outcome, _what, deploy) => {
    expect(outcomeOf(facts(deploy))).toBe(outcome);
  });
});

test('a deploy whose every step succeeds visits each batch once, in order, and ends released', () => {
  assert(
    property(
      integer({ min: 1, max: 12 }),
      nat({ max: 4 }),
      nat({ max: 4 }),
      nat({ max: 1 }),
      (count, canaryHosts, batchHosts, soakSeconds) => {
        const strategy = { ...defaultStrategy, canaryHosts, batchHosts, soakSeconds };
        const planned = planBatches(
          Array.from({ length: count }, (_, index) => ({ host: `h${index}` })),
          strategy,
        );
        let deploy = facts({ phase: 'lock', strategy, hosts: planned.map((each) => host(each.host, 'held', { batch: each.batch })) });
        const stopped: string[] = [];
        for (let steps = 0; deploy.phase !== 'release'; steps++) {
          expect(steps).toBeLessThan(100);
          if (deploy.phase === 'stop') stopped.push(...currentBatch(deploy.hosts).map((each) => each.host));
          const batch = deploy.phase === 'verify' ? currentBatch(deploy.hosts) : [];
          const hosts = deploy.hosts.map((each) => (batch.includes(each) ? { ...each, state: 'verified' as const } : each));
          deploy = { ...deploy, hosts, phase: phaseAfter({ ...deploy, hosts }) };
        }
        expect(stopped).toEqual(planned.map((each) => each.host));
        expect(outcomeOf(deploy)).toBe('succeeded');
      },
    ),
  );
});
