import type { DeployView } from '../../src/contracts/deploy';
import { limits } from '../../src/contracts/limits';
import { makeApplyJobId } from '../../src/contracts/ids';
import { resolveSignal, taskQueues } from '../../src/contracts/messages';
import { findJob, type Job } from '../../src/db/jobs/jobs';
import type { SubmissionEntry } from '../../dev/gh/submissions-log';
import { findViolations, type Violation } from '../support/checker';
import { withDeployFixture } from '../support/deploy-fixture';
import { makeGate } from '../support/gate';
import { readJobRows } from '../support/evidence';
import { acceptNewJob, makeNewJob, startApplyJob } from '../support/new-job';
import { until } from '../support/until';

/** What happened to jobs is read in the simulator's log of what its workers did; our own rows are held against it. */

const fleetSize = 20;
/** Those that the deploys are of; the others go on with their jobs, and take more. */
const hosts = 4;
const fixture = withDeployFixture({ hosts, otherHosts: fleetSize - hosts, hasOrchestrator: true });
const isDeployed = ({ workerId }: SubmissionEntry): boolean => Number(workerId.replace('worker-', '')) <= hosts;

jest.setTimeout(240_000);

let sweeping: Promise<void>;
let isOver = false;

/** In the place of the schedule, which an orchestrator's process makes. */
beforeAll(() => {
  const sweepAgain = async (): Promise<void> => {
    for (let pass = 0; !isOver; pass++) {
      const ended = fixture.client.workflow.execute('workerCleanup', {
        workflowId: `sweep-${pass}`,
        taskQueue: taskQueues.orchestrator,
        args: [{ full: pass % 3 === 0 }],
      });
      await ended.catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  };
  sweeping = sweepAgain();
});

afterAll(async () => {
  isOver = true;
  await sweeping;
});

/** At that worker, or anywhere. */
const submit = async (path: string, wantedWorker: string | null = null): Promise<string> => {
  const affinity = wantedWorker === null ? 'any' : 'strict';
  // GH's own end of the handler must not come first; the simulated workers' clock is ten times as fast.
  const timeoutSeconds = 6_000;
  const job = makeNewJob({ targetUrl: `https://sim.test${path}`, wantedWorker, affinity, timeoutSeconds });
  await acceptNewJob(fixture.pool, job, limits);
  await startApplyJob(fixture.client, { jobId: job.jobId, taskQueue: taskQueues.orchestrator });
  return job.jobId;
};

const submitAll = async (paths: readonly string[]): Promise<string[]> => await Promise.all(paths.map(async (path) => await submit(path)));
const repeat = (count: number, path: (index: number) => string): string[] => Array.from({ length: count }, (_, index) => path(index));

const logOf = (jobIds: readonly string[], event?: SubmissionEntry['event']): SubmissionEntry[] =>
  fixture.simulator.log().filter((entry) => jobIds.includes(entry.jobId) && (event === undefined || entry.event === event));

const untilAllDid = async (jobIds: readonly string[], event: SubmissionEntry['event']): Promise<void> => {
  const isDone = (): boolean => new Set(logOf(jobIds, event).map(({ jobId }) => jobId)).size === jobIds.length;
  await until(isDone, { what: `${jobIds.length} jobs: ${event}`, timeoutMs: 90_000 });
};

const untilState = async (jobIds: readonly string[], state: Job['state']): Promise<void> => {
  for (const jobId of jobIds) {
    const isThere = async (): Promise<boolean> => {
      const job = await findJob(fixture.pool, jobId);
      if (job?.state === state) return true;
      throw new Error(`it is ${job?.state}: ${job?.reason}`);
    };
    await until(isThere, { what: `job ${jobId} is ${state}`, timeoutMs: 90_000 });
  }
};

/** Every promise about jobs, over all that this file has submitted. */
const judge = async (): Promise<Violation[]> => {
  const rows = await readJobRows(fixture.pool);
  return findViolations({
    ...rows,
    acceptedJobIds: rows.jobs.map(({ jobId }) => jobId),
    submissions: fixture.simulator.log(),
    received: [],
    texts: [],
    unspeakable: [],
  });
};

const jobsOf = (entries: readonly SubmissionEntry[]): string[] => entries.map(({ jobId }) => jobId).toSorted();
const momentOf = async (deployId: string, words: RegExp): Promise<number> => {
  const line = (await fixture.lines(deployId)).find((each) => words.test(each.line));
  if (line === undefined) throw new Error(`no line says ${words.source}`);
  return Date.parse(line.at);
};

test('of twenty jobs that run each ends by itself, once, before its host is stopped; a held host takes none of those that come meanwhile', async () => {
  const gate = makeGate();
  const running = await submitAll(repeat(fleetSize, (index) => `${gate.form}&ms=${index * 200}`));
  await untilAllDid(running, 'form_opened');
  const { deployId, handle } = await fixture.deploy({ version: 'v1', strategy: { canaryHosts: 1, drainSeconds: 120 } });
  // Over jobs that had ended already it would prove nothing.
  const isWaiting = async (): Promise<boolean> =>
    (await fixture.lines(deployId)).some(({ line }) => line.startsWith(`waits for ${hosts} jobs`));
  await until(isWaiting, { what: `it waits for ${hosts} jobs`, timeoutMs: 60_000 });
  const late = await submitAll(repeat(fleetSize, () => '/quick?ms=2000'));
  gate.open();
  const deploy = await handle.result();
  await untilState([...running, ...late], 'succeeded');

  expect(deploy).toMatchObject<Partial<DeployView>>({ outcome: 'succeeded', interruptedJobs: [] });
  expect(await fixture.rest()).toEqual({ versions: Array<string>(hosts).fill('v1'), lock: null, holds: [] });
  const all = [...running, ...late];
  expect(logOf(all, 'killed')).toEqual([]);
  expect(jobsOf(logOf(all, 'claimed'))).toEqual(all.toSorted());
  expect(jobsOf(logOf(all, 'submitted'))).toEqual(all.toSorted());
  const before = new Set(logOf(running).map(({ processId }) => processId));
  expect(logOf(late).filter((entry) => isDeployed(entry) && before.has(entry.processId))).toEqual([]);
  expect(await judge()).toEqual([]);
});

test('a job that outlives the drain of a deploy goes on; the deploy ends, and nothing was stopped', async () => {
  const before = await fixture.versions();
  const gate = makeGate();
  const job = await submit(gate.form, 'worker-1');
  await untilAllDid([job], 'form_opened');
  const { handle } = await fixture.deploy({ version: 'v2', strategy: { drainSeconds: 1 } });
  expect(await handle.result()).toMatchObject<Partial<DeployView>>({ outcome: 'aborted', interruptedJobs: [] });
  gate.open();
  await untilState([job], 'succeeded');
  expect(logOf([job], 'killed')).toEqual([]);
  expect(jobsOf(logOf([job], 'submitted'))).toEqual([job]);
  expect(await fixture.rest()).toEqual({ versions: before, lock: null, holds: [] });
  expect(await judge()).toEqual([]);
});

test('a forced deploy interrupts at its deadline and not before: a job whose form was not open runs again, one whose form was waits for a person', async () => {
  const soon = await submit('/quick?ms=500', 'worker-1');
  const starting = await submit('/slow-start?startMs=600000&times=1&ms=100', 'worker-2');
  const filling = await submit('/quick?ms=600000', 'worker-3');
  await untilAllDid([soon, starting], 'claimed');
  await untilAllDid([filling], 'form_opened');
  const drainSeconds = 3;
  const { deployId, handle } = await fixture.deploy({ version: 'v3', strategy: { drainSeconds, onDrainDeadline: 'force' } });
  const deploy = await handle.result();
  await untilState([soon, starting], 'succeeded');
  await untilState([filling], 'uncertain');

  expect(deploy.outcome).toBe('succeeded');
  expect(deploy.interruptedJobs.map(({ jobId }) => jobId).toSorted()).toEqual([starting, filling].toSorted());
  expect(await fixture.rest()).toEqual({ versions: Array<string>(hosts).fill('v3'), lock: null, holds: [] });
  const killed = logOf([soon, starting, filling], 'killed');
  expect(jobsOf(killed)).toEqual([starting, filling].toSorted());
  const deadline = (await momentOf(deployId, /^→ drain/)) + drainSeconds * 1_000;
  expect(Math.min(...killed.map(({ at }) => Date.parse(at)))).toBeGreaterThanOrEqual(deadline);
  expect(jobsOf(logOf([soon, starting], 'submitted'))).toEqual([soon, starting].toSorted());
  expect(logOf([starting], 'claimed')).toHaveLength(2);
  expect(logOf([filling], 'claimed')).toHaveLength(1);

  const person = { submitted: false, actor: 'zoe', note: 'the form was never sent' };
  await fixture.client.workflow.getHandle(makeApplyJobId({ jobId: filling })).signal(resolveSignal, person);
  await until(async () => (await findJob(fixture.pool, filling))?.endedAt != null, { what: 'the job has ended', timeoutMs: 60_000 });
  expect(await judge()).toEqual([]);
});
