import { Client } from 'pg';
import type { DeployOutcome, DeployPhase, DeployView } from '../../src/contracts/deploy';
import { approveSignal, cancelDeploySignal, deployStatusQuery, type KamalDeployInput } from '../../src/contracts/messages';
import type { Misbehaviour } from '../../dev/kamal/stand-in/stand-in-testbed';
import { withDeployFixture } from '../support/deploy-fixture';
import { makeGate } from '../support/gate';
import { addLiveAttempt } from '../support/live-attempt';
import { until } from '../support/until';

const fixture = withDeployFixture();

jest.setTimeout(180_000);

beforeEach(async () => await fixture.reset('v1'));

interface Story {
  phase: DeployPhase;
  /** What keeps the deploy in that phase. */
  orders?: (waiting: Misbehaviour['do']) => Misbehaviour[];
  /** Kamal goes on when the word has arrived; else the word has to end it. */
  goesOn?: boolean;
  input?: Partial<KamalDeployInput>;
  hinder?: () => Promise<() => Promise<void>>;
  outcome: DeployOutcome;
  version: string;
  /** Nothing is left to be cancelled, and nobody gets the signal. */
  isTooLate?: boolean;
}

const untouched = { outcome: 'cancelled', version: 'v1' } as const;
const putBack = { outcome: 'rolled_back', version: 'v1' } as const;

const stories: Story[] = [
  { phase: 'preflight', orders: (waiting) => [{ on: 'build pull', do: waiting }], ...untouched },
  { phase: 'approval', input: { strategy: { needsApproval: true } }, ...untouched },
  { phase: 'hold', hinder: holdAssignLock, ...untouched },
  { phase: 'drain', hinder: runJob, ...untouched },
  { phase: 'lock', orders: (waiting) => [{ on: 'lock acquire', do: waiting }], ...untouched },
  { phase: 'stop', orders: (waiting) => [{ on: 'app stop', at: 'stop', times: 1, do: waiting }], ...putBack },
  { phase: 'deploy', orders: (waiting) => [{ on: 'deploy', at: 'boot', times: 1, do: waiting }], ...putBack },
  { phase: 'soak', input: { strategy: { canaryHosts: 1, soakSeconds: 60 } }, ...putBack },
  {
    // Noted, not obeyed: the version before comes back.
    phase: 'compensate',
    orders: (waiting) => [
      { on: 'deploy', at: 'boot', times: 1, do: { error: { message: 'no space left on device' } } },
      { on: 'app start', times: 1, do: waiting },
    ],
    goesOn: true,
    ...putBack,
  },
  // The new version is verified by then.
  {
    phase: 'release',
    orders: (waiting) => [{ on: 'lock release', times: 1, do: waiting }],
    goesOn: true,
    outcome: 'succeeded',
    version: 'v2',
    isTooLate: true,
  },
];

const cancelAt = async (story: Story, by: 'signal' | 'button'): Promise<DeployView> => {
  const { phase, input, hinder, goesOn = false } = story;
  const gate = makeGate();
  const orders = story.orders?.({ untilFile: gate.file }) ?? [];
  const undo = await hinder?.();
  await fixture.kamal.misbehave(...orders);
  const { deployId, handle } = await fixture.deploy({ version: 'v2', ...input });
  await fixture.untilPhase(deployId, phase);
  const order = orders.at(-1);
  if (order !== undefined)
    await until(async () => (await fixture.kamal.steps()).at(-1)?.command.join(' ').startsWith(order.on), {
      what: `Kamal is at ${order.on}`,
      timeoutMs: 60_000,
    });
  if (by === 'signal') await handle.signal(cancelDeploySignal, { deployId, actor: 'zoe', reason: 'a test' });
  else await handle.cancel();
  // It answers when the workflow has heard the word.
  if (goesOn) await handle.query(deployStatusQuery);
  if (goesOn) gate.open();
  // A wait for a lock of Postgres cannot be cancelled: it gives way now.
  if (phase === 'hold') await undo?.();
  const deploy = await handle.result();
  await undo?.();
  return deploy;
};

describe('a signal', () => {
  test.each(stories.map((story) => [story.phase, story] as const))('at %s has a defined end', async (_phase, story) => {
    const deploy = await cancelAt(story, 'signal');
    expect({ outcome: deploy.outcome, ...(await fixture.rest()) }).toEqual({
      outcome: story.outcome,
      versions: [story.version, story.version],
      lock: null,
      holds: [],
    });
    expect(deploy.cancelRequestedBy).toBe(story.isTooLate === true ? null : 'zoe');
  });
});

describe('the Web UI’s button', () => {
  const some = stories.filter(({ phase }) => phase === 'approval' || phase === 'deploy');
  test.each(some.map((story) => [story.phase, story] as const))('means the same at %s', async (_phase, story) => {
    const deploy = await cancelAt(story, 'button');
    expect(deploy).toMatchObject({ outcome: story.outcome, cancelRequestedBy: 'temporal' });
    expect(await fixture.rest()).toEqual({ versions: [story.version, story.version], lock: null, holds: [] });
  });
});

test('a cancel that names another deploy has no effect', async () => {
  const { deployId, handle } = await fixture.deploy({ version: 'v2', strategy: { needsApproval: true } });
  await fixture.untilPhase(deployId, 'approval');
  await handle.signal(cancelDeploySignal, { deployId: '00000000-0000-4000-8000-000000000000', actor: 'zoe' });
  await handle.signal(approveSignal, { deployId, actor: 'zoe' });
  expect(await handle.result()).toMatchObject({ outcome: 'succeeded', cancelRequestedBy: null });
});

/** Nobody may hold hosts while somebody assigns; this somebody takes its time. */
async function holdAssignLock(): Promise<() => Promise<void>> {
  const client = new Client({ connectionString: fixture.databaseUrl });
  await client.connect();
  await client.query('begin; update yardmaster.assigner set holder = holder');
  let isHeld = true;
  return async () => {
    if (isHeld) await client.end();
    isHeld = false;
  };
}

async function runJob(): Promise<() => Promise<void>> {
  const job = await addLiveAttempt(fixture.pool, { host: fixture.hosts[1] ?? '', workerId: 'worker-2' });
  return job.end;
}
