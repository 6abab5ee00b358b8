import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeCancelJobId } from '../../src/contracts/ids';
import { isTerminal } from '../../src/domain/job-state';
import type { CommandOutcome, Route } from '../../src/contracts/command';
import type { SubmissionEvent } from '../../dev/gh/submissions-log';
import { listCommands, type Command } from '../../src/db/commands/commands';
import type { SeededRandom } from './seeded-random';
import { until } from './until';
import type { FleetFixture } from './fleet-fixture';

/** What a cancelled job meets at the posting: every behaviour of a worker (dev/gh/behaviours.ts). */
const behaviours = [
  '/quick?ms=100',
  '/quick?ms=1500',
  '/quick?ms=1500&lost=running,completed',
  '/slow-start?startMs=800&ms=300',
  '/slow-start?startMs=20000',
  '/blocker?type=captcha&ms=200',
  '/blocker-2fa?at=initial&ms=200',
  '/blocker?at=error&ms=200',
  '/review?ms=150',
  '/hang?at=start',
  '/hang?at=form&handlerTimeoutMs=60000',
  '/crash?when=before-form&ms=200',
  '/crash?when=after-form&ms=400',
  '/recovers-from-browser-crash?ms=600',
  '/recovers-from-browser-crash?when=after-submit&ms=600',
  '/fails-before-form?times=9&ms=100',
  '/fails-after-form?ms=300',
  '/keep-open?ms=300',
  '/late-write?ms=600',
] as const;

const moments: readonly (SubmissionEvent | 'accepted')[] = [
  'accepted',
  'claimed',
  'started',
  'form_opened',
  'form_opened',
  'paused',
  'submitted',
  'ended',
];

export interface CancelRun {
  cancels: number;
  outcomes: Partial<Record<CommandOutcome | 'open', number>>;
  /** Which way they went. */
  routes: Partial<Record<Route, number>>;
  /** Cancels without an end yet. */
  open: Command[];
}

/** So many jobs, each cancelled at a random moment of its life; ends when every cancel has ended, those at workers that nothing stops excepted. */
export const runRandomCancels = async (
  fixture: FleetFixture,
  {
    count,
    random,
    atOnce,
    isUnstoppable,
  }: { count: number; random: SeededRandom; atOnce: number; isUnstoppable: (host: string) => boolean },
): Promise<CancelRun> => {
  const plans = random.shuffle(
    Array.from({ length: count }, (_, index) => ({
      path: behaviours[index % behaviours.length] ?? '/quick',
      moment: random.pick(moments),
      delayMs: random.chance(0.5) ? 0 : random.between(0, 400),
    })),
  );
  const open: Command[] = [];
  const outcomes: CancelRun['outcomes'] = {};
  const routes: CancelRun['routes'] = {};
  const queue = plans.values();
  const runner = async (): Promise<void> => {
    for (const plan of queue) {
      const command = await cancelAtMoment(fixture, plan, isUnstoppable);
      const outcome = command.outcome ?? 'open';
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
      const { route } = command;
      if (route !== null) routes[route.route] = (routes[route.route] ?? 0) + 1;
      if (command.endedAt === null) open.push(command);
    }
  };
  const runners = Promise.all(Array.from({ length: atOnce }, runner));
  let isOver = false;
  const sweeps = sweepUntil(fixture, () => isOver);
  try {
    await runners;
  } finally {
    isOver = true;
    await sweeps;
  }
  return { cancels: count, outcomes, routes, open };
};

/** Callbacks get lost and reviews send none: the schedule that every control plane has. As there, the next pass makes good one that failed. */
export const sweepUntil = async (fixture: FleetFixture, isOver: () => boolean): Promise<void> => {
  while (!isOver()) {
    await fixture.sweep().catch(() => undefined);
    await sleep(500);
  }
};

const cancelAtMoment = async (
  fixture: FleetFixture,
  { path, moment, delayMs }: { path: string; moment: SubmissionEvent | 'accepted'; delayMs: number },
  isUnstoppable: (host: string) => boolean,
): Promise<Command> => {
  const jobId = randomUUID();
  await fixture.submit(`https://sim.test${path}`, { jobId });
  await reach(fixture, jobId, moment);
  // A random moment is what this is about, not a wait for something.
  await sleep(delayMs);
  await fixture.client.workflow.start('cancelJob', {
    workflowId: makeCancelJobId({ jobId }),
    taskQueue: fixture.taskQueue,
    args: [{ jobId, actor: 'random' }],
    workflowIdConflictPolicy: 'USE_EXISTING',
  });
  return await until(
    async () => {
      const command = (await listCommands(fixture.pool, { jobId, rows: 1 })).at(0);
      if (command === undefined) return null;
      const isStuck =
        command.route !== null && command.means.some(({ means }) => means === 'recycle') && isUnstoppable(command.route.host ?? '');
      return command.endedAt !== null || isStuck ? command : null;
    },
    { what: `the cancel of ${jobId} (${path} at ${moment}) ends`, timeoutMs: 60_000, everyMs: 100 },
  );
};

/** Until the job is so far, or cannot come there any more; one that never does is cancelled where it stands. */
const reach = async (fixture: FleetFixture, jobId: string, moment: SubmissionEvent | 'accepted'): Promise<void> => {
  if (moment === 'accepted') return;
  await until(
    async () => {
      const events = fixture.simulator.log().filter((entry) => entry.jobId === jobId);
      if (events.some(({ event }) => event === moment)) return true;
      if (events.some(({ event }) => ['paused', 'review', 'killed', 'submitted', 'ended'].includes(event))) return true;
      const { state } = await fixture.job(jobId);
      return isTerminal(state) || state === 'uncertain';
    },
    { what: `${jobId} reaches ${moment}`, timeoutMs: 3_000, everyMs: 20 },
  ).catch(() => undefined);
};
