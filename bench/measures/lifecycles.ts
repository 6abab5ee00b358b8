import { makeApplyJobId } from '../../src/contracts/ids';
import type { CpuTime } from '../cpu-time';
import type { Figure } from '../figures';
import { awaitSuccess, submitJob } from '../job-client';
import { interleave, median, msSince } from '../statistics';
import type { BenchFixture } from '../bench-fixture';

export interface LifecycleTurns {
  rounds: number;
  jobsPerRound: number;
  /** Jobs under way at once. */
  concurrency: number;
  /** Fewer workers than lanes: jobs wait, and each end of a job assigns the next one. */
  workers: number;
  deadlineAt: number;
}

interface Block {
  perSecond: number;
  cpu: CpuTime | null;
}

/** Whole lives of jobs, many at once, until each workflow has closed. */
export const measureLifecycles = async (fixture: BenchFixture, turns: LifecycleTurns): Promise<Figure[]> => {
  const { jobsPerRound, concurrency, workers } = turns;
  await useWorkers(fixture, workers);
  // A few first, then all: what is compiled on its first use would be measured otherwise.
  await runBlock(fixture, { jobs: concurrency, concurrency: 2 }, liveOurs);
  const [stepsBefore, statementsBefore] = [fixture.ours.stepsTaken(), fixture.statementsSent()];
  await runBlock(fixture, { jobs: jobsPerRound, concurrency }, liveOurs);
  // The baseline has as many steps as ours really took, one more than the hints that it waits for.
  const stepsPerJob = (fixture.ours.stepsTaken() - stepsBefore) / jobsPerRound;
  const statementsPerJob = (fixture.statementsSent() - statementsBefore) / jobsPerRound;
  const bareSteps = Math.round(stepsPerJob);
  const live = liveBare(bareSteps);
  await runBlock(fixture, { jobs: jobsPerRound, concurrency }, live);

  const { ours, baseline } = await interleave(
    { ...turns, warmUp: 0 },
    async () => await runBlock(fixture, { jobs: jobsPerRound, concurrency }, liveOurs),
    async () => await runBlock(fixture, { jobs: jobsPerRound, concurrency }, live),
  );
  const suffix = workers < concurrency ? `, ${concurrency} jobs at ${workers} workers` : `, ${concurrency} at once`;
  const cpuFigures =
    ours[0]?.cpu === null
      ? []
      : (['node', 'temporal', 'postgres'] as const).map((part): Figure => ({
          name: `CPU of a lifecycle in ${part}${suffix}`,
          unit: 'ms',
          ours: median(ours.map(({ cpu }) => cpu?.[part] ?? Number.NaN)),
          baseline: median(baseline.map(({ cpu }) => cpu?.[part] ?? Number.NaN)),
          ...(part === 'node' && { goal: { of: 'ratio', atMost: 1.1 } }),
        }));
  return [
    {
      name: `lifecycles${suffix}`,
      unit: 'jobs/s',
      ours: median(ours.map(({ perSecond }) => perSecond)),
      baseline: median(baseline.map(({ perSecond }) => perSecond)),
      goal: { of: 'ratio', atLeast: 1 },
    },
    ...cpuFigures,
    { name: `steps of a lifecycle${suffix}`, unit: 'count', ours: stepsPerJob, baseline: bareSteps },
    {
      name: `SQL statements of a lifecycle${suffix}`,
      unit: 'count',
      ours: statementsPerJob,
      baseline: bareSteps,
      goal: { of: 'ours', atMost: 16 },
    },
    {
      name: `history events of a lifecycle${suffix}`,
      unit: 'count',
      ours: await countEvents(fixture, await liveOurs(fixture)),
      baseline: await countEvents(fixture, await live(fixture)),
    },
  ];
};

export const liveBare =
  (steps: number) =>
  async ({ bare }: BenchFixture): Promise<string> => {
    const { handle } = await bare.start(steps);
    await handle.result();
    return handle.workflowId;
  };

export const liveOurs = async ({ ours, client }: BenchFixture): Promise<string> => {
  const jobId = await submitJob(ours);
  await awaitSuccess(client, jobId);
  return makeApplyJobId({ jobId });
};

export const runBlock = async (
  fixture: BenchFixture,
  { jobs, concurrency }: { jobs: number; concurrency: number },
  live: (fixture: BenchFixture) => Promise<string>,
): Promise<Block> => {
  let left = jobs;
  const cpuBefore = fixture.cpuTime();
  const startedAt = performance.now();
  const runner = async (): Promise<void> => {
    while (left-- > 0) await live(fixture);
  };
  await Promise.all(Array.from({ length: concurrency }, runner));
  const perSecond = (jobs * 1000) / msSince(startedAt);
  const cpuAfter = fixture.cpuTime();
  if (cpuBefore === null || cpuAfter === null) return { perSecond, cpu: null };
  const perJob = (part: keyof CpuTime): number => (cpuAfter[part] - cpuBefore[part]) / jobs;
  return { perSecond, cpu: { node: perJob('node'), temporal: perJob('temporal'), postgres: perJob('postgres') } };
};

const useWorkers = async ({ pool }: BenchFixture, workers: number): Promise<void> => {
  await pool.query(
    `update gh_worker_registry r set status = case when n <= $1::int then 'active' else 'offline' end
     from (select worker_id, row_number() over (order by worker_id) as n from gh_worker_registry) ranked where ranked.worker_id = r.worker_id`,
    [workers],
  );
};

const countEvents = async ({ client }: BenchFixture, workflowId: string): Promise<number> => {
  const { events } = await client.workflow.getHandle(workflowId).fetchHistory();
  return events?.length ?? 0;
};
