import { inspect } from 'node:util';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool } from 'pg';
import { array, asyncProperty, boolean, check, constantFrom, integer, oneof, record, type Arbitrary } from 'fast-check';
import { makeCancelJobId, makeResumeJobId } from '../../src/contracts/ids';
import { resolveSignal, retrySignal } from '../../src/contracts/messages';
import { isTerminal } from '../../src/domain/job-state';
import { createWorkflowsClient } from '../../src/gateway/workflows-client';
import { createSecretBox } from '../../src/secret-box';
import { findBrokenPromises, gatherCommandEvidence } from './command-checker';
import { call, startTestGateway, testKeys, testSecretsKey, type TestGateway } from './gateway';
import { until } from './until';
import type { FleetFixture, FleetFixtureOptions } from './fleet-fixture';

/** What the model needs of its fleet: everything that takes time is short, and every host can be recycled. */
export const commandModelFixture: FleetFixtureOptions = {
  hosts: 3,
  times: { exitDelayMs: 300, containerRestartMs: 200 },
  limits: { retryBackoffFirstMs: 300, retryBackoffMaxMs: 600, attemptSilentMs: 3_000, doubtRecheckMs: 500, deafWorkerMs: 2_000 },
  secrets: createSecretBox({ current: testSecretsKey, previous: null }),
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
  /** Not `isStarted`: Temporal is away. A worker is told all the same; a command or the sweep starts the workflow. */
  | { act: 'submit'; path: (typeof paths)[number]; isStarted: boolean }
  /** At our gateway, from a terminal, or past us: at GH's own API, with what the product then writes into the public row. */
  | { act: 'cancel' | 'resume' | 'retry'; door: 'rest' | 'cli' | 'row'; job: number }
  | { act: 'resolve'; job: number; submitted: boolean }
  | { act: 'kill' | 'restart'; host: number }
  | { act: 'sweep' }
  /** GH goes on: until a job has moved, a moment at most. */
  | { act: 'progress'; job: number };

const job = integer({ min: 0, max: 5 });
const anyAct: Arbitrary<Act> = oneof(
  { weight: 4, arbitrary: record({ act: constantFrom('submit' as const), path: constantFrom(...paths), isStarted: boolean() }) },
  {
    weight: 8,
    arbitrary: record({
      act: constantFrom('cancel' as const, 'resume' as const, 'retry' as const),
      door: constantFrom('rest' as const, 'cli' as const, 'row' as const),
      job,
    }),
  },
  { weight: 1, arbitrary: record({ act: constantFrom('resolve' as const), job, submitted: constantFrom(false, true) }) },
  { weight: 2, arbitrary: record({ act: constantFrom('kill' as const, 'restart' as const), host: integer({ min: 0, max: 2 }) }) },
  { weight: 1, arbitrary: record({ act: constantFrom('sweep' as const) }) },
  { weight: 5, arbitrary: record({ act: constantFrom('progress' as const), job }) },
);

interface World {
  fixture: FleetFixture;
  gateway: TestGateway;
  jobIds: string[];
  /** Every code that somebody has entered. */
  codes: string[];
}

const perform = async ({ fixture, gateway, jobIds, codes }: World, act: Act): Promise<void> => {
  const jobId = 'job' in act ? jobIds[act.job % Math.max(1, jobIds.length)] : undefined;
  if ('job' in act && jobId === undefined) return;
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
  const ask = async (command: string, json: object = {}): Promise<void> => {
    const { status, body } = await call(`${gateway.url}/v1/jobs/${jobId}/${command}?wait=0`, { key: testKeys.operator, json });
    // Refused, or not over yet: both are answers. Anything of ours that breaks is none.
    if (status >= 500) throw new Error(`a ${command} was answered with ${status}: ${JSON.stringify(body)}`);
  };
  /** GH's API is open to the product at every machine. */
  const askGh = async (path: string, json: object = {}): Promise<void> => {
    const api = fixture.simulator.hosts[0]?.ports.api;
    await call(`http://127.0.0.1:${api}/api/v1/gh/${path}`, { headers: { 'x-gh-service-key': fixture.serviceSecret }, json });
  };
  const enterCode = (): { code: string } => {
    codes.push(`code-${randomUUID()}`);
    return { code: codes.at(-1) ?? '' };
  };
  switch (act.act) {
    case 'submit':
      jobIds.push(randomUUID());
      await fixture[act.isStarted ? 'submit' : 'accept'](`https://sim.test${act.path}`, { jobId: jobIds.at(-1) });
      return;
    case 'cancel':
      if (act.door === 'rest') return await ask('cancel');
      if (act.door === 'cli') return await start('cancelJob', makeCancelJobId({ jobId: jobId ?? '' }));
      await askGh(`jobs/${jobId}/cancel`);
      await healRow(fixture, jobId ?? '');
      return;
    case 'resume':
      if (act.door === 'rest') return await ask('resume', { resolutionType: 'code_entry', ...enterCode() });
      if (act.door === 'cli') return await start('resumeJob', makeResumeJobId({ jobId: jobId ?? '' }));
      return await askGh(`valet/resume/${jobId}`, { resolution_type: 'code_entry', resolution_data: enterCode() });
    case 'retry':
      if (act.door === 'rest') return await ask('retry', { confirm: true });
      if (act.door === 'row') return await askGh(`jobs/${jobId}/retry`);
      return await ignoreLost(fixture.handleOf(jobId ?? '').signal(retrySignal, { confirm: true, actor: 'model' }));
    case 'resolve':
      await ignoreLost(fixture.handleOf(jobId ?? '').signal(resolveSignal, { submitted: act.submitted, actor: 'model' }));
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
      const { stateAt } = await fixture.job(jobId ?? '');
      const deadline = Date.now() + 400;
      while (Date.now() < deadline && (await fixture.job(jobId ?? '')).stateAt.getTime() === stateAt.getTime()) await sleep(20);
    }
  }
};

/** The public rows, attempt rows and events of GH that hold one of these texts. */
const listRowsWith = async (pool: Pool, texts: string[]): Promise<string[]> => {
  const { rows } = await pool.query<{ found: string }>(
    `with kept as (
       select 'gh_automation_jobs ' || id as found, g::text as content from gh_automation_jobs g
       union all select 'gh_job_events ' || id, e::text from gh_job_events e
       union all select 'command ' || command_id, c::text from yardmaster.command c
       union all select 'audit ' || audit_id, a::text from yardmaster.audit a
     )
     select found from kept join unnest($1::text[]) as entered on content like '%' || entered || '%'`,
    [texts],
  );
  return rows.map(({ found }) => found);
};

/** What the product does at its next read of a task that it has cancelled (valet §3.1). */
const healRow = async ({ pool }: FleetFixture, jobId: string): Promise<void> => {
  await pool.query(
    `update gh_automation_jobs set status = 'cancelled', completed_at = coalesce(completed_at, now())
     where id = $1::uuid and status not in ('completed', 'failed', 'cancelled', 'expired')`,
    [jobId],
  );
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
  const workflows = createWorkflowsClient(fixture.client, { deadlineMs: 5_000, taskQueue: fixture.taskQueue });
  const gateway = await startTestGateway({ pool: fixture.pool, workflows });
  const rule = asyncProperty(array(anyAct, { minLength: 8, maxLength: 24, size: 'max' }), async (acts) => {
    const jobIds: string[] = [];
    const codes: string[] = [];
    for (const act of acts) await perform({ fixture, gateway, jobIds, codes }, act);
    await bringToAnEnd(fixture, jobIds);
    await until(async () => (await listRowsWith(fixture.pool, codes)).length === 0, { what: 'no row has a code that somebody entered' });
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
  await gateway.stop();
  return failed ? { sequence: counterexample, error: inspect(errorInstance, { depth: 6 }), seed, numShrinks } : null;
};
