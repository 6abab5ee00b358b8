import { inspect } from 'node:util';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { array, asyncProperty, check, constantFrom, integer, oneof, record, type Arbitrary } from 'fast-check';
import { makeCancelJobId, makeResumeJobId } from '../../src/contracts/ids';
import { resolveSignal, retrySignal } from '../../src/contracts/messages';
import { isTerminal } from '../../src/domain/job-state';
import { findBrokenPromises, gatherCommandEvidence } from './command-checker';
import { until } from './until';
import type { FleetFixture, FleetFixtureOptions } from './fleet-fixture';

/** What the model needs of its fleet: everything that takes time is short, and every host can be recycled. */
export const commandModelFixture: FleetFixtureOptions = {
  hosts: 3,
  times: { exitDelayMs: 300, containerRestartMs: 200 },
  limits: { retryBackoffFirstMs: 300, retryBackoffMaxMs: 600, attemptSilentMs: 3_000, doubtRecheckMs: 500, deafWorkerMs: 2_000 },
  async recycle(simulator, host) {
    await simulator.restart(host);
    return true;
  },
};

const paths = [
  '/quick?ms=200',
  '/slow-start?startMs=600&ms=300',
  '/blocker?ms=200',
  '/review?ms=100',
  '/fails-before-form?ms=50',
  '/fails-after-form?ms=50',
] as const;

/** One thing that somebody does; `job` counts round the jobs that are there, `host` the machines. Each is allowed at any time. */
type Act =
  | { act: 'submit'; path: (typeof paths)[number] }
  | { act: 'cancel' | 'resume' | 'retry'; job: number }
  | { act: 'resolve'; job: number; submitted: boolean }
  | { act: 'kill' | 'restart'; host: number }
  | { act: 'sweep' }
  /** GH goes on: until a job has moved, a moment at most. */
  | { act: 'progress'; job: number };

const job = integer({ min: 0, max: 5 });
const anyAct: Arbitrary<Act> = oneof(
  { weight: 4, arbitrary: record({ act: constantFrom('submit' as const), path: constantFrom(...paths) }) },
  { weight: 6, arbitrary: record({ act: constantFrom('cancel' as const, 'resume' as const, 'retry' as const), job }) },
  { weight: 1, arbitrary: record({ act: constantFrom('resolve' as const), job, submitted: constantFrom(false, true) }) },
  { weight: 2, arbitrary: record({ act: constantFrom('kill' as const, 'restart' as const), host: integer({ min: 0, max: 2 }) }) },
  { weight: 1, arbitrary: record({ act: constantFrom('sweep' as const) }) },
  { weight: 5, arbitrary: record({ act: constantFrom('progress' as const), job }) },
);

const perform = async (fixture: FleetFixture, act: Act, jobIds: string[]): Promise<void> => {
  const jobId = 'job' in act ? jobIds[act.job % Math.max(1, jobIds.length)] : undefined;
  const start = async (workflow: 'cancelJob' | 'resumeJob', workflowId: string): Promise<void> => {
    await fixture.client.workflow.start(workflow, {
      workflowId,
      taskQueue: fixture.taskQueue,
      args: [{ jobId, actor: 'model' }],
      workflowIdConflictPolicy: 'USE_EXISTING',
    });
  };
  // A signal to a job that has ended finds no workflow, and that is its answer.
  const ignoreLost = async (signal: Promise<void> | undefined): Promise<void> => await signal?.catch(() => undefined);
  switch (act.act) {
    case 'submit':
      jobIds.push(randomUUID());
      await fixture.submit(`https://sim.test${act.path}`, { jobId: jobIds.at(-1) });
      return;
    case 'cancel':
      if (jobId !== undefined) await start('cancelJob', makeCancelJobId({ jobId }));
      return;
    case 'resume':
      if (jobId !== undefined) await start('resumeJob', makeResumeJobId({ jobId }));
      return;
    case 'retry':
      await ignoreLost(jobId === undefined ? undefined : fixture.handleOf(jobId).signal(retrySignal, { confirm: true, actor: 'model' }));
      return;
    case 'resolve':
      await ignoreLost(
        jobId === undefined ? undefined : fixture.handleOf(jobId).signal(resolveSignal, { submitted: act.submitted, actor: 'model' }),
      );
      return;
    case 'kill':
      fixture.simulator.kill(fixture.simulator.hosts[act.host]?.ip ?? '', { restart: true });
      return;
    case 'restart':
      await fixture.simulator.restart(fixture.simulator.hosts[act.host]?.ip ?? '');
      return;
    case 'sweep':
      return await fixture.sweep();
    case 'progress': {
      if (jobId === undefined) return;
      const { stateAt } = await fixture.job(jobId);
      const deadline = Date.now() + 400;
      while (Date.now() < deadline && (await fixture.job(jobId)).stateAt.getTime() === stateAt.getTime()) await sleep(20);
    }
  }
};

/** Everything is cancelled, and what rests for a person is resolved, until all jobs and commands have ended. */
const bringToAnEnd = async (fixture: FleetFixture, jobIds: string[]): Promise<void> => {
  for (const jobId of jobIds) {
    if (isTerminal((await fixture.job(jobId)).state)) continue;
    await fixture.client.workflow.start('cancelJob', {
      workflowId: makeCancelJobId({ jobId }),
      taskQueue: fixture.taskQueue,
      args: [{ jobId, actor: 'model' }],
      workflowIdConflictPolicy: 'USE_EXISTING',
    });
  }
  await until(
    async () => {
      await fixture.sweep();
      const jobs = await Promise.all(jobIds.map(async (jobId) => await fixture.job(jobId)));
      for (const { jobId, state } of jobs) {
        if (state === 'uncertain')
          await fixture
            .handleOf(jobId)
            .signal(resolveSignal, { submitted: false, actor: 'model' })
            .catch(() => undefined);
      }
      const { rowCount } = await fixture.pool.query(
        `select from yardmaster.command where ended_at is null and kind = 'cancel' and job_id = any($1::uuid[])`,
        [jobIds],
      );
      return rowCount === 0 && jobs.every(({ state }) => isTerminal(state));
    },
    { what: 'all jobs and cancels have ended', timeoutMs: 40_000, everyMs: 250 },
  );
};

/** So many random sequences of commands, deaths and progress. Null when the promises were kept, else the shrunk sequence, which is what a person reads. */
export const runCommandModel = async (
  fixture: FleetFixture,
  { seed, numRuns }: { seed: number; numRuns: number },
): Promise<object | null> => {
  const rule = asyncProperty(array(anyAct, { minLength: 8, maxLength: 24, size: 'max' }), async (acts) => {
    const jobIds: string[] = [];
    for (const act of acts) await perform(fixture, act, jobIds);
    await bringToAnEnd(fixture, jobIds);
    const evidence = await gatherCommandEvidence(fixture.pool, fixture.simulator);
    const own = <Item extends { jobId: string }>(items: Item[]): Item[] => items.filter(({ jobId }) => jobIds.includes(jobId));
    const broken = findBrokenPromises(
      {
        jobs: own(evidence.jobs),
        transitions: own(evidence.transitions),
        attempts: own(evidence.attempts),
        commands: own(evidence.commands),
        submissions: own(evidence.submissions),
      },
      { isKillOurs: true },
    );
    if (broken.length > 0) throw new Error(broken.join('\n'));
  });
  const { failed, counterexample, errorInstance, numShrinks } = await check(rule, {
    seed,
    numRuns,
    interruptAfterTimeLimit: 40_000 + numRuns * 15_000,
  });
  return failed ? { sequence: counterexample, error: inspect(errorInstance, { depth: 6 }), seed, numShrinks } : null;
};
