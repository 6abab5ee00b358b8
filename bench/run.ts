import { rm, writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { benchParts, flags } from '../dev/tools/flags.cjs';
import { projectRoot } from '../src/project-root';
import { startStack } from '../dev/tools/stack';
import { isMet, toJson, toTable, type Figure } from './figures';
import { measureAccept } from './measures/accept';
import { measureAssigning } from './measures/assigning';
import { measureBurst } from './measures/burst';
import { measureCancels } from './measures/cancels';
import { measureLogStreams } from './measures/log-streams';
import { measureLifecycles } from './measures/lifecycles';
import { measurePeers } from './measures/peers';
import { measureRunning, measureSweeping } from './measures/sweeping';
import { measureWaiting } from './measures/waiting';
import { startBenchFixture } from './bench-fixture';

const say = (line: string): void => console.error(line);

/** How much of everything; each part also ends by itself at its time, so that a busy machine gets fewer turns and no longer run. */
const sizes = {
  full: {
    acceptRounds: 400,
    acceptMs: 60_000,
    lifecycleRounds: 6,
    jobsPerRound: 60,
    lifecycleMs: 60_000,
    peers: { rounds: 200, blocks: 5, jobs: 120 },
    endedJobs: 1_000_000,
    assignRounds: 400,
    assignMs: 40_000,
    waiting: { waiting: 100_000, rounds: 200, deadlineMs: 90_000 },
    burst: { jobs: 10_000, perSecond: 200 },
    running: { running: 10_000, rounds: 10, deadlineMs: 60_000 },
    sweepRounds: 200,
    sweepMs: 60_000,
    runningJobs: 50,
    cancels: 70,
    logStreams: { latencyLines: 600, readers: 500, linesPerSecond: 200, seconds: 20 },
  },
  quick: {
    acceptRounds: 40,
    acceptMs: 6_000,
    lifecycleRounds: 1,
    jobsPerRound: 24,
    lifecycleMs: 6_000,
    peers: { rounds: 10, blocks: 1, jobs: 24 },
    endedJobs: 20_000,
    assignRounds: 60,
    assignMs: 5_000,
    waiting: { waiting: 5_000, rounds: 15, deadlineMs: 12_000 },
    burst: { jobs: 200, perSecond: 50 },
    running: { running: 500, rounds: 3, deadlineMs: 6_000 },
    sweepRounds: 30,
    sweepMs: 6_000,
    runningJobs: 8,
    cancels: 10,
    logStreams: { latencyLines: 100, readers: 50, linesPerSecond: 100, seconds: 4 },
  },
};
/** The development server reads the list of search attributes from its store for every call; a production server keeps it. */
const likeInProduction = { 'system.forceSearchAttributesCacheRefreshOnRead': 'false' };
const concurrency = 12;
/** Longer than a hop, so that every hint is heard on its own, and much shorter than GH. */
const restMs = 50;

// Before the first worker of the process, or never: the SDK keeps its first logger.
Runtime.install({ logger: new DefaultLogger('ERROR') });

const run = async (): Promise<number> => {
  const { values } = parseArgs({ options: flags.bench });
  const dir = path.resolve(projectRoot(), values.dir);
  const size = values.quick ? sizes.quick : sizes.full;
  const isWanted = (name: string): boolean => values.only === undefined || values.only.includes(name);
  const unknown = values.only?.find((name) => !benchParts.includes(name));
  if (unknown !== undefined) throw new Error(`--only ${unknown}: there is ${benchParts.join(', ')}; several are named by several --only`);
  // Jobs of a run that was killed would be taken up again, over a database that no longer knows them.
  for (const suffix of ['', '-wal', '-shm']) await rm(path.join(dir, 'temporal', `temporal.db${suffix}`), { force: true });
  const stack = await startStack({
    dir,
    postgresPort: 0,
    temporalPort: 0,
    temporalUiPort: null,
    temporalSettings: likeInProduction,
    say,
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void stack.stop().finally(() => process.exit(1)));
  const figures: Figure[] = [];
  let broken = 0;
  const measure = async (what: string, work: () => Promise<Figure[]>): Promise<void> => {
    const [before, startedAt] = [load(), performance.now()];
    // Half an hour of figures is not lost with the part that fails.
    const found = await work().catch((error: unknown) => {
      broken++;
      say(`${what} broke off: ${error instanceof Error ? error.stack : String(error)}`);
      return [];
    });
    figures.push(...found);
    say(`${what}: ${((performance.now() - startedAt) / 1000).toFixed(0)} s, load average ${before} → ${load()}`);
  };
  try {
    const arePeersWanted = values.only?.includes('peers') ?? !values.quick;
    if (isWanted('accept') || isWanted('lifecycles') || isWanted('waiting') || arePeersWanted) {
      const fixture = await startBenchFixture(stack, { name: 'bench_fixture', workers: concurrency, restMs });
      try {
        const lifecycles = { rounds: size.lifecycleRounds, jobsPerRound: size.jobsPerRound, concurrency };
        const until = (ms: number): number => performance.now() + ms;
        if (isWanted('accept'))
          await measure(
            'accept',
            async () => await measureAccept(fixture, { rounds: size.acceptRounds, deadlineAt: until(size.acceptMs) }),
          );
        if (isWanted('lifecycles'))
          await measure(
            'lifecycles',
            async () => await measureLifecycles(fixture, { ...lifecycles, workers: concurrency, deadlineAt: until(size.lifecycleMs) }),
          );
        if (isWanted('waiting') && !values.quick)
          await measure(
            'waiting',
            async () => await measureLifecycles(fixture, { ...lifecycles, workers: concurrency / 2, deadlineAt: until(size.lifecycleMs) }),
          );
        if (arePeersWanted)
          await measure(
            'peers',
            async () => await measurePeers(fixture, { ...size.peers, databaseUrl: stack.databaseUrl, dir, concurrency }),
          );
      } finally {
        await fixture.stop();
      }
    }
    if (isWanted('cancels'))
      await measure('cancels', async () => measureCancels(stack, { running: size.runningJobs, cancels: size.cancels, concurrency: 1 }));
    if (isWanted('streams')) await measure('streams', async () => await measureLogStreams(stack, size.logStreams));
    if (isWanted('assigning'))
      await measure('assigning', async () =>
        measureAssigning(stack.databaseUrl, {
          endedJobs: size.endedJobs,
          rounds: size.assignRounds,
          deadlineMs: size.assignMs,
          say,
        }),
      );
    if (isWanted('queue')) await measure('queue', async () => measureWaiting(stack.databaseUrl, { ...size.waiting, say }));
    // Half an hour, so only for whoever names it.
    if (values.only?.includes('burst') ?? values.quick) await measure('burst', async () => measureBurst(stack, { ...size.burst, say }));
    if (isWanted('running')) await measure('running', async () => measureRunning(stack.databaseUrl, size.running));
    if (isWanted('sweeping'))
      await measure('sweeping', async () =>
        measureSweeping(stack.databaseUrl, { endedJobs: size.endedJobs, rounds: size.sweepRounds, deadlineMs: size.sweepMs, say }),
      );
  } finally {
    await stack.stop();
  }
  console.log(toTable(figures));
  if (values.json !== undefined) await writeFile(values.json, toJson(figures));
  return broken > 0 || (values.check && figures.some((figure) => isMet(figure) === false)) ? 1 : 0;
};

const load = (): string =>
  loadavg()
    .slice(0, 1)
    .map((value) => value.toFixed(1))
    .join('');

run().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
