import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { historyToJSON } from '@temporalio/common/lib/proto-utils';
import { dryRunSweepId, makeApplyJobId, makeCancelJobId, workerCleanupScheduleId } from '../../src/contracts/ids';
import { limits } from '../../src/contracts/limits';
import { taskQueues } from '../../src/contracts/messages';
import type { WorkerAct } from '../../src/contracts/worker-act';
import { findJob, type Job } from '../../src/db/jobs/jobs';
import { findLastWorkerAct } from '../../src/db/fleet/worker-acts';
import { projectRoot } from '../../src/project-root';
import { startControlPlane, type ControlPlane } from '../support/control-plane';
import { withDatabase } from '../support/database';
import { withTemporal } from '../support/temporal';
import { until } from '../support/until';
import { makeGate } from '../support/gate';

/** The lines that the README gives operators; the fence and remarks left out. */
const linesOfReadme = (): string[] => {
  const readme = readFileSync(path.join(projectRoot(), 'README.md'), 'utf8');
  const block = /<!-- cli:start -->([\s\S]*?)<!-- cli:end -->/.exec(readme)?.[1] ?? '';
  return block
    .replaceAll('\\\n', ' ')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !/^(```|#)/.test(line));
};

/** What every operator of Temporal types, whether our README names it or not. */
const linesOfTemporal = [
  'temporal workflow show --workflow-id apply-job-$JOB',
  'temporal workflow cancel --workflow-id apply-job-$JOB',
  `temporal workflow terminate --workflow-id apply-job-$JOB --reason 'stuck'`,
  `temporal workflow reset --workflow-id apply-job-$JOB --type FirstWorkflowTask --reason 'try again'`,
];

/** The job that a line is about, and what the line must have done; `again` types it until its answer has caught up. */
interface Scenario {
  prepare(): Promise<string>;
  check(jobId: string, output: string, again: () => Promise<string>): Promise<unknown>;
}

describe("the README's lines for the Temporal CLI", () => {
  const database = withDatabase();
  const temporal = withTemporal();
  const stopping: (() => Promise<unknown>)[] = [];
  let plane: ControlPlane;
  let bin: string;

  beforeAll(async () => {
    plane = await startControlPlane({
      databaseUrl: database.databaseUrl,
      temporal,
      dir: path.join(projectRoot(), '.yardmaster/logs', temporal.namespace),
      hosts: 2,
      orchestrators: 1,
      recycles: true,
      // A person is waited for until the line is typed, however slow the machine is.
      hostOptions: () => ({ times: { containerRestartMs: 2_500, humanWaitMs: 300_000 } }),
    });
    stopping.push(plane.stop);
    bin = await mkdtemp(path.join(os.tmpdir(), 'yardmaster-cli-'));
    stopping.push(async () => await rm(bin, { recursive: true, force: true }));
    await symlink(process.env.TEST_TEMPORAL_CLI ?? '', path.join(bin, 'temporal'));
    await until(async () => await temporal.client.schedule.getHandle(workerCleanupScheduleId).describe(), {
      what: 'the orchestrator has made the schedule',
      timeoutMs: 60_000,
    });
  }, 120_000);

  afterEach(async () => await release());

  afterAll(async () => {
    for (const end of stopping.splice(0).toReversed()) await end();
  }, 120_000);

  test.each([...new Set([...linesOfReadme(), ...linesOfTemporal])])(
    '%s',
    async (line) => {
      const scenario = scenarios.find(([pattern]) => pattern.test(line))?.[1];
      if (scenario === undefined) throw new Error('The README has a line that no scenario of this test covers');
      const jobId = await scenario.prepare();
      const output = await type(line, jobId);
      expect(output).not.toMatch(/^Error/m);
      await scenario.check(jobId, output, async () => await type(line, jobId));
    },
    120_000,
  );

  test('the README has lines for every act on a job', () => {
    const lines = linesOfReadme().join('\n');
    for (const act of ['wake', 'cancel', 'resolve', 'retry']) expect(lines).toContain(`--name ${act}`);
  });

  /** As a person at a shell: exit code 0, or the test fails with what the CLI said. */
  const type = async (line: string, jobId: string): Promise<string> => {
    const env = {
      ...process.env,
      PATH: `${bin}:${process.env.PATH}`,
      JOB: jobId,
      WORKER: 'worker-1',
      TEMPORAL_ADDRESS: temporal.address,
      TEMPORAL_NAMESPACE: temporal.namespace,
    };
    const { stdout, stderr } = await promisify(execFile)('sh', ['-c', line], { env, timeout: 60_000 });
    return `${stdout}${stderr}`;
  };

  const job = async (jobId: string): Promise<Job> => {
    const found = await findJob(database.pool, jobId);
    if (found === null) throw new Error(`no job ${jobId}`);
    return found;
  };

  const untilJob = async (jobId: string, what: string, isSo: (job: Job) => boolean): Promise<void> => {
    await until(
      async () => {
        const now = await job(jobId);
        if (!isSo(now)) throw new Error(`${now.state} (${now.reason}), generation ${now.generation}`);
        return true;
      },
      { what, timeoutMs: 60_000 },
    );
  };

  const submit = async (target: string, state: Job['state']): Promise<string> => {
    const { jobId } = await plane.submit(`https://sim.test${target}`);
    await untilJob(jobId, `the job is ${state}`, (now) => now.state === state);
    await until(
      async () => (await temporal.client.workflow.count(`WorkflowId = '${makeApplyJobId({ jobId })}' and State = '${state}'`)).count,
      {
        what: 'the list of workflows shows it',
        timeoutMs: 30_000,
      },
    );
    return jobId;
  };

  const hold = async (): Promise<unknown> =>
    await database.pool.query(
      `insert into yardmaster.host_hold (host, reason, actor) values ('*', 'a test', 'test') on conflict do nothing`,
    );
  const release = async (): Promise<unknown> => await database.pool.query('delete from yardmaster.host_hold');

  const uncertainJob = async (): Promise<string> => await submit('/fails-after-form?code=timeout&ms=50', 'uncertain');
  const runningJob = async (): Promise<string> => await submit(makeGate().form, 'running');
  const waitingJob = async (): Promise<string> => {
    await hold();
    return await submit('/quick?ms=50', 'waiting');
  };
  const noJob = (): Promise<string> => Promise.resolve('');

  const untilCancelled = async (jobId: string): Promise<void> =>
    await untilJob(jobId, 'the job is cancelled', ({ state }) => state === 'cancelled');
  const untilActEnded = async (act: WorkerAct, outcome: string): Promise<unknown> =>
    await until(async () => (await findLastWorkerAct(database.pool, limits, { workerId: 'worker-1', act }))?.outcome === outcome, {
      what: `a ${act} of worker-1 has ended as ${outcome}`,
      timeoutMs: 60_000,
    });
  const countSweeps = async (): Promise<number> =>
    (await database.pool.query<{ count: number }>('select count(*)::int as count from yardmaster.sweep_report')).rows[0]?.count ?? 0;
  const schedule = () => temporal.client.schedule.getHandle(workerCleanupScheduleId);

  const touchedAt = async (jobId: string): Promise<number> =>
    (
      await database.pool.query<{ touched_at: Date }>('select touched_at from yardmaster.job where job_id = $1', [jobId])
    ).rows[0]?.touched_at.getTime() ?? 0;

  let touchedBefore = 0;
  let sweepsBefore = 0;
  let waitingBeside = '';
  let runBefore = '';

  const scenarios: [RegExp, Scenario][] = [
    [
      /^temporal workflow list .*State="uncertain"/,
      {
        prepare: uncertainJob,
        check: async (jobId, _output, again) =>
          await until(async () => (await again()).includes(makeApplyJobId({ jobId })), { what: 'the list names the job', everyMs: 500 }),
      },
    ],
    [
      /^temporal workflow describe /,
      {
        prepare: uncertainJob,
        check: async (jobId, output) => expect(output).toMatch(new RegExp(`${makeApplyJobId({ jobId })}[\\s\\S]*applyJob`)),
      },
    ],
    [
      /^temporal workflow query .*--type status/,
      {
        prepare: uncertainJob,
        check: async (jobId, output) => expect(output).toMatch(new RegExp(`${jobId}[\\s\\S]*uncertain|uncertain[\\s\\S]*${jobId}`)),
      },
    ],
    [
      /^temporal workflow show /,
      { prepare: uncertainJob, check: async (_jobId, output) => expect(output).toContain('WorkflowExecutionStarted') },
    ],
    [
      /^temporal workflow signal .*--workflow-id .*--name wake/,
      {
        async prepare() {
          const jobId = await runningJob();
          touchedBefore = await touchedAt(jobId);
          return jobId;
        },
        async check(jobId) {
          const history = historyToJSON(await temporal.client.workflow.getHandle(makeApplyJobId({ jobId })).fetchHistory());
          const payloads = Array.from(history.matchAll(/"data": "([^"]*)"/g), ([, data = '']) => Buffer.from(data, 'base64').toString());
          expect(payloads.join('\n')).toContain('have a look');
          await until(async () => (await touchedAt(jobId)) > touchedBefore, { what: 'the workflow looked at the rows' });
        },
      },
    ],
    [/^temporal workflow signal .*--workflow-id .*--name cancel/, { prepare: waitingJob, check: untilCancelled }],
    [/^temporal workflow start --type cancelJob /, { prepare: waitingJob, check: untilCancelled }],
    [
      /^temporal workflow start --type resumeJob /,
      {
        prepare: async () => await submit('/blocker?type=captcha&ms=100', 'waiting_human'),
        check: async (jobId) => await untilJob(jobId, 'the job has ended well', ({ state }) => state === 'succeeded'),
      },
    ],
    [
      /^temporal workflow result --workflow-id cancel-job-/,
      {
        async prepare() {
          const jobId = await waitingJob();
          await temporal.client.workflow.start('cancelJob', {
            workflowId: makeCancelJobId({ jobId }),
            taskQueue: taskQueues.orchestrator,
            args: [{ jobId, actor: 'zoe' }],
          });
          return jobId;
        },
        check: (_jobId, output) =>
          Promise.resolve(
            expect(output).toMatch(/"outcome":\s*"cancelled"[\s\S]*"route":\s*"row"|"route":\s*"row"[\s\S]*"outcome":\s*"cancelled"/),
          ),
      },
    ],
    [/^temporal workflow cancel /, { prepare: waitingJob, check: untilCancelled }],
    [
      /^temporal workflow signal .*--name resolve .*"submitted":true/,
      {
        prepare: uncertainJob,
        check: async (jobId) => await untilJob(jobId, 'the job is resolved', ({ reason }) => reason === 'resolved_submitted'),
      },
    ],
    [
      /^temporal workflow signal .*--name retry .*"confirm":true/,
      {
        prepare: uncertainJob,
        check: async (jobId) => await untilJob(jobId, 'the next generation is open', ({ generation }) => generation === 2),
      },
    ],
    [
      /^temporal workflow signal .*--query .*State="waiting".*--name cancel/,
      {
        async prepare() {
          waitingBeside = await waitingJob();
          return await waitingJob();
        },
        check: async (jobId) => await Promise.all([jobId, waitingBeside].map(untilCancelled)),
      },
    ],
    [
      /^temporal workflow terminate /,
      {
        async prepare() {
          const jobId = await waitingJob();
          runBefore = (await job(jobId)).owner ?? '';
          return jobId;
        },
        // The row is believed: a new run takes the job over, which ends as if nothing had been.
        async check(jobId) {
          await until(
            async () =>
              await schedule()
                .trigger()
                .then(() => true),
            { what: 'a pass of the sweep is asked for' },
          );
          await untilJob(jobId, 'another run has the job', ({ owner, state }) => state === 'waiting' && owner !== runBefore);
          await release();
          await schedule().trigger();
          await untilJob(jobId, 'the job has ended well', ({ state }) => state === 'succeeded');
        },
      },
    ],
    [
      /^temporal workflow reset /,
      {
        async prepare() {
          const jobId = await waitingJob();
          runBefore = (await job(jobId)).owner ?? '';
          return jobId;
        },
        // The new run reads the row, and does not begin again.
        async check(jobId) {
          await release();
          await untilJob(jobId, 'the job has ended well', ({ state, generation }) => state === 'succeeded' && generation === 1);
          const { rows } = await database.pool.query('select from yardmaster.attempt where job_id = $1', [jobId]);
          expect(rows).toHaveLength(1);
        },
      },
    ],
    [/^temporal workflow start --type drainWorker /, { prepare: noJob, check: async () => await untilActEnded('drain', 'drained') }],
    [/^temporal workflow start --type recycleWorker /, { prepare: noJob, check: async () => await untilActEnded('recycle', 'recycled') }],
    [
      /^temporal schedule describe /,
      { prepare: noJob, check: async (_jobId, output) => expect(output).toContain(workerCleanupScheduleId) },
    ],
    [
      /^temporal schedule toggle .*--pause/,
      {
        prepare: noJob,
        async check() {
          expect((await schedule().describe()).state).toMatchObject({ paused: true, note: 'moving the database' });
          await schedule().unpause();
        },
      },
    ],
    [
      /^temporal schedule toggle .*--unpause/,
      {
        async prepare() {
          await schedule().pause('a test');
          return '';
        },
        check: async () => expect((await schedule().describe()).state).toMatchObject({ paused: false, note: 'it has moved' }),
      },
    ],
    [
      /^temporal workflow start --type workerCleanup /,
      {
        prepare: noJob,
        async check() {
          const report = await temporal.client.workflow.getHandle(dryRunSweepId).result();
          expect(report).toMatchObject({ kind: 'full', isDryRun: true });
        },
      },
    ],
    [
      /^temporal workflow result --workflow-id worker-cleanup-dry-run/,
      {
        async prepare() {
          await temporal.client.workflow.start('workerCleanup', {
            workflowId: dryRunSweepId,
            taskQueue: taskQueues.orchestrator,
            args: [{ dryRun: true }],
          });
          return '';
        },
        check: (_jobId, output) => Promise.resolve(expect(output).toMatch(/"isDryRun":\s*true/)),
      },
    ],
    [
      /^temporal schedule trigger /,
      {
        // While it is paused, only a person's trigger sweeps.
        async prepare() {
          await schedule().pause('a test');
          await until(async () => (await schedule().describe()).info.runningActions.length === 0, {
            what: 'no pass is under way',
            timeoutMs: 30_000,
          });
          sweepsBefore = await countSweeps();
          return '';
        },
        async check() {
          await until(async () => (await countSweeps()) === sweepsBefore + 1, { what: 'one pass was made' });
          await schedule().unpause();
        },
      },
    ],
  ];
});
