import { assert, constantFrom, property, tuple } from 'fast-check';
import { findDisagreements, judgeHost, judgeVersions, type HostFacts, type RoleVersion } from '../../../src/domain/deploy-verify';

const both = (version: string): RoleVersion[] => [
  { role: 'web', version },
  { role: 'workers', version },
];

const seen = (more: Partial<HostFacts> = {}): HostFacts => ({
  host: 'a',
  roles: ['web', 'workers'],
  versions: both('v2'),
  ports: { isApiUp: true, isWorkerUp: true },
  registry: 'beating',
  serves: { hasApi: true, hasWorker: true },
  api: { isWell: true, says: 'answers 200, ok' },
  worker: { workerId: 'w1', isRunning: true, isDraining: false },
  isWorkerFresh: true,
  ...more,
});

test.each<[what: string, facts: Partial<HostFacts>, wanted: string | null, isVerified: boolean, detail: RegExp]>([
  [
    'all sources agree',
    {},
    'v2',
    true,
    /^v2 runs; the API answers 200, ok; worker w1 is running, not draining, and has registered since the stop$/,
  ],
  ['the API calls itself ill', { api: { isWell: false, says: 'answers 503, degraded' } }, 'v2', false, /^the API answers 503, degraded$/],
  ['the API says nothing of itself', { api: null }, 'v2', false, /does not say how it is/],
  ['the worker does not run', { worker: { workerId: 'w1', isRunning: false, isDraining: false } }, 'v2', false, /is_running: false/],
  ['the worker drains', { worker: { workerId: 'w1', isRunning: true, isDraining: true } }, 'v2', false, /^worker w1 is draining$/],
  ['the worker says nothing of itself', { worker: null }, 'v2', false, /does not say how it is/],
  [
    'its roles serve no port',
    { serves: { hasApi: false, hasWorker: false }, ports: null, registry: 'none', api: null, worker: null, isWorkerFresh: false },
    'v2',
    true,
    /^v2 runs; its roles serve no port that could be asked$/,
  ],
  ['the old version runs', { versions: both('v1') }, 'v2', false, /v1 runs instead of v2/],
  ['nothing runs', { versions: [] }, 'v2', false, /nothing runs instead of v2/],
  ['two versions run', { versions: [...both('v1').slice(0, 1), ...both('v2').slice(1)] }, 'v2', false, /web runs v1, workers runs v2/],
  ['one role does not run', { versions: both('v2').slice(0, 1) }, 'v2', false, /workers does not run/],
  ['nobody could look', { versions: null }, 'v2', false, /could not be read/],
  ['the worker port is closed', { ports: { isApiUp: true, isWorkerUp: false } }, 'v2', false, /degraded/],
  ['no port was asked', { ports: null }, 'v2', false, /not been asked/],
  ['the registry has only old beats', { registry: 'silent' }, 'v2', false, /beaten/],
  ['the worker is the one of before the stop', { isWorkerFresh: false }, 'v2', false, /^worker w1 has not registered since the stop$/],
  [
    'a host without worker needs none',
    {
      roles: ['web'],
      serves: { hasApi: true, hasWorker: false },
      versions: both('v2').slice(0, 1),
      registry: 'none',
      worker: null,
      isWorkerFresh: false,
      ports: { isApiUp: true, isWorkerUp: false },
    },
    'v2',
    true,
    /^v2 runs; the API answers 200, ok$/,
  ],
  [
    'a host without API needs none',
    {
      roles: ['workers'],
      serves: { hasApi: false, hasWorker: true },
      versions: both('v2').slice(1),
      ports: { isApiUp: false, isWorkerUp: true },
      api: null,
    },
    'v2',
    true,
    /^v2 runs; worker w1 is running/,
  ],
  ['nothing should run, and nothing does', { versions: [], ports: null, registry: 'none' }, null, true, /as before/],
  ['nothing should run, and something does', { versions: both('v2') }, null, false, /v2 runs instead of nothing/],
])('when %s', (_what, facts, wanted, isVerified, detail) => {
  const verdict = judgeHost(seen(facts), wanted);
  expect({ isVerified: verdict.isVerified, detail: verdict.detail }).toEqual({
    isVerified,
    detail: expect.stringMatching(detail) as string,
  });
});

test('a worker that was not restarted is verified in whatever state it was before', () => {
  const before = seen({ worker: { workerId: 'w1', isRunning: true, isDraining: true }, isWorkerFresh: false });
  expect(judgeHost(before, 'v2').isVerified).toBe(false);
  expect(judgeHost(before, 'v2', { isRestarted: false })).toMatchObject({
    isVerified: true,
    detail: 'v2 runs; the API answers 200, ok; its workers beat',
  });
});

const maybeVersion = constantFrom('v1', 'v2', 'v3', null);

test('no host is verified whose version is another one, whatever else is well', () => {
  assert(
    property(tuple(maybeVersion, maybeVersion), constantFrom('v1', 'v2', null), ([web, workers], wanted) => {
      const versions = [
        { role: 'web', version: web },
        { role: 'workers', version: workers },
      ].flatMap(({ role, version }) => (version === null ? [] : [{ role, version }]));
      const isRight = web === wanted && workers === wanted;
      expect(judgeHost(seen({ versions }), wanted).isVerified).toBe(isRight);
    }),
  );
});

test.each<[what: string, exit: boolean | null, running: (string | null)[], found: RegExp[]]>([
  ['success, and it runs', true, ['v2', 'v2'], []],
  ['success on a version that nobody knows: nothing changed', true, ['v1', 'v2'], [/v1 runs instead of v2/]],
  ['a failure after the switch', false, ['v2', 'v2'], [/every host runs/]],
  ['a failure, as the hosts say too', false, ['v1', 'v2'], []],
  ['no command was run', null, ['v1', 'v2'], []],
])('Kamal and the hosts: %s', (_what, isSuccess, running, found) => {
  const verdicts = running.map((version, index) =>
    judgeVersions({ host: `h${index}`, roles: ['web', 'workers'], versions: version === null ? [] : both(version) }, 'v2'),
  );
  const exit = isSuccess === null ? null : { isSuccess, detail: 'exit code 1' };
  expect(findDisagreements({ phase: 'deploy', exit, verdicts }).map((each) => each.found)).toEqual(
    found.map((pattern) => expect.stringMatching(pattern) as string),
  );
});
