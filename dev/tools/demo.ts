import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { demoKeys, startDemoFleet, type DemoFleet, type DemoPorts } from './demo-fleet';
import { playDeploys } from './demo-deploy-story';
import { demoJobs, type DemoJob } from './demo-jobs';
import { actAsPerson, ask, type JobAnswer } from './demo-person';
import { showReleasedWorker } from './demo-released';
import { createTableView, formatTable, type DemoRow } from './demo-table';
import { flags } from './flags.cjs';
import { projectRoot } from '../../src/project-root';

/** `npm run demo`: real jobs through the real control plane to simulated workers. `--exit` plays the story once and checks its end. */
const run = async (): Promise<number> => {
  const options = readOptions();
  const say = (line: string): void => console.error(line);
  const fleet = await startDemoFleet({ ...options, say });
  const stopped = stopOnSignal(fleet);
  try {
    introduce(fleet);
    const submitted = await submitJobs(fleet, options.ports.product);
    const areJobsRight = await watch(fleet, submitted, options.exit ? options.timeoutMs : Infinity);
    const reviewed = submitted.find(({ demo }) => demo.person === 'says it was submitted');
    const isReleased = reviewed === undefined || (await showReleasedWorker(fleet, reviewed.jobId, releasedWithinMs));
    const isRight = (await playDeploys(fleet)) && areJobsRight && isReleased;
    if (options.exit) return isRight ? 0 : 1;
    console.log('\nIt keeps running: submit your own jobs, look at the Web UI, press Ctrl-C to stop.');
    await stopped;
    return 0;
  } finally {
    await fleet.stop();
  }
};

/** A busy machine takes its time for a start. */
const releasedWithinMs = 60_000;

interface Submitted {
  demo: DemoJob;
  jobId: string;
  startedAt: number;
  hasPersonActed: boolean;
}

const submitJobs = async ({ gatewayUrl }: DemoFleet, productPort: number): Promise<Submitted[]> =>
  await Promise.all(
    demoJobs.map(async (demo) => {
      const startedAt = Date.now();
      const { jobId } = await ask<{ jobId: string }>(`${gatewayUrl}/v1/jobs`, {
        userId: randomUUID(),
        taskId: randomUUID(),
        targetUrl: `https://sim.test${demo.path}`,
        profile: { firstName: 'Ada', lastName: 'Lovelace', email: 'ada@example.com' },
        resume: { storagePath: 'resumes/ada.pdf' },
        callbackUrl: `http://127.0.0.1:${productPort}/callbacks`,
        metadata: { demo: demo.title },
        ...(demo.strictWorker === undefined ? {} : { worker: { id: demo.strictWorker, affinity: 'strict' } }),
      });
      return { demo, jobId, startedAt, hasPersonActed: false };
    }),
  );

/** Shows the jobs until each has ended; true when each ended as it should. */
const watch = async (fleet: DemoFleet, jobs: Submitted[], timeoutMs: number): Promise<boolean> => {
  const view = createTableView(process.stdout);
  const deadline = Date.now() + timeoutMs;
  const endedAfter = new Map<string, number>();
  for (;;) {
    const rows: DemoRow[] = [];
    for (const job of jobs) {
      const answer = await ask<JobAnswer>(`${fleet.gatewayUrl}/v1/jobs/${job.jobId}`);
      if (!job.hasPersonActed && job.demo.person !== undefined)
        job.hasPersonActed = await actAsPerson(fleet, { ...job, person: job.demo.person }, answer);
      if (isOver(answer.state) && !endedAfter.has(job.jobId)) endedAfter.set(job.jobId, Date.now() - job.startedAt);
      rows.push(toRow(job, answer, fleet, endedAfter.get(job.jobId)));
    }
    view.show(rows);
    const areHeard = rows.every(({ callbacks }) => /completed|failed|cancelled|expired/.test(callbacks));
    if (endedAfter.size === jobs.length && areHeard) return judge(jobs, rows, endedAfter);
    if (Date.now() > deadline) {
      console.log(`\nNot everything ended within ${timeoutMs / 1000} s.\n${formatTable(rows)}`);
      return false;
    }
    await delay(500);
  }
};

const judge = (jobs: Submitted[], rows: DemoRow[], endedAfter: ReadonlyMap<string, number>): boolean => {
  const wrong = jobs.filter(
    ({ demo }, index) => rows[index]?.state !== demo.ends || (demo.attempts !== undefined && rows[index].attempts !== demo.attempts),
  );
  if (!process.stdout.isTTY) console.log(`\n${formatTable(rows)}`);
  console.log(
    `\nFirst finished job after ${(Math.min(...endedAfter.values()) / 1000).toFixed(1)} s, all after ${(Math.max(...endedAfter.values()) / 1000).toFixed(1)} s.`,
  );
  for (const { demo } of wrong) {
    console.log(`✗ "${demo.title}" should have ended ${demo.ends}${demo.attempts === undefined ? '' : ` after ${demo.attempts} attempts`}`);
  }
  if (wrong.length === 0) console.log(`✓ All ${jobs.length} jobs ended as they should.`);
  return wrong.length === 0;
};

const toRow = (job: Submitted, answer: JobAnswer, { received }: DemoFleet, endedAfterMs: number | undefined): DemoRow => ({
  title: job.demo.title,
  jobId: job.jobId,
  state: answer.state,
  reason: answer.reason,
  attempts: answer.attempts.length,
  worker: answer.attempts.at(-1)?.workerId ?? '',
  callbacks: (received.get(job.jobId) ?? []).join(' '),
  seconds: ((endedAfterMs ?? Date.now() - job.startedAt) / 1000).toFixed(1),
});

const isOver = (state: string): boolean => ['succeeded', 'failed', 'cancelled', 'expired'].includes(state);

const introduce = ({ gatewayUrl, stack, simulator }: DemoFleet): void => {
  console.log(`
  REST         ${gatewayUrl}/docs          (X-API-Key: ${demoKeys.operator}, for deploys ${demoKeys.deployer})
  Temporal UI  ${stack.uiUrl}
  Postgres     ${stack.databaseUrl}
  Product key  X-GH-Service-Key: ${demoKeys.product}
  GH control   http://127.0.0.1:${simulator.controlPort}/state   (kill, hang or part a simulated host)
`);
};

const stopOnSignal = (fleet: DemoFleet): Promise<void> =>
  new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.once(signal, () => {
        console.log('\nStopping…');
        resolve();
        // The watch may be in the middle of its story.
        void fleet.stop().then(() => process.exit(process.exitCode ?? 0));
      });
    }
  });

interface DemoOptions {
  dir: string;
  fresh: boolean;
  exit: boolean;
  timeoutMs: number;
  ports: DemoPorts;
  network: string;
  wantsStandIn: boolean;
}

const readOptions = (): DemoOptions => {
  const { values } = parseArgs({ options: flags.demo });
  if (!/^127(\.\d{1,3}){2}$/.test(values.network)) throw new Error(`--network is three numbers, as 127.0.7, not ${values.network}`);
  return {
    dir: path.resolve(projectRoot(), values.dir),
    fresh: values.fresh,
    network: values.network,
    wantsStandIn: values['stand-in'],
    exit: values.exit,
    timeoutMs: Number(values.timeout) * 1000,
    ports: {
      gateway: Number(values['gateway-port']),
      product: Number(values['product-port']),
      postgres: Number(values['postgres-port']),
      temporal: Number(values['temporal-port']),
      temporalUi: Number(values['temporal-ui-port']),
      gatewayMetrics: Number(values['gateway-metrics-port']),
      orchestratorMetrics: Number(values['orchestrator-metrics-port']),
      deployerMetrics: Number(values['deployer-metrics-port']),
    },
  };
};

run().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  },
);
