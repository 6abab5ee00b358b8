import { randomUUID } from 'node:crypto';
import type { WorkflowHandle } from '@temporalio/client';
import {
  makeCancelJobId,
  makeDeliverCallbacksId,
  makeDrainWorkerId,
  makeRecycleWorkerId,
  makeResumeJobId,
  parseApplyJobId,
} from '../../src/contracts/ids';
import { cancelSignal, resolveSignal, resumeSignal, retrySignal } from '../../src/contracts/messages';
import type { applyJob } from '../../workflows';
import { until } from './until';
import type { FleetFixture } from './fleet-fixture';

type Record = (ending: string, workflowId: string) => Promise<void>;

interface Started {
  jobId: string;
  handle: WorkflowHandle<typeof applyJob>;
}

/** One real run for each ending, told as tests, since that is how they are watched while they are recorded. */
export const playStories = (fixture: FleetFixture, record: Record): void => {
  const submit = async (target: string): Promise<Started> => {
    await idle();
    const handle = await fixture.submit(`https://sim.test${target}`, { jobId: randomUUID() });
    return { jobId: parseApplyJobId(handle.workflowId)?.jobId ?? '', handle };
  };
  const finish = async (ending: string, { handle }: Started): Promise<void> => {
    await handle.result();
    await record(ending, handle.workflowId);
  };
  const sweepUntil = async (jobId: string, state: Awaited<ReturnType<FleetFixture['job']>>['state']): Promise<void> => {
    await until(
      async () => {
        await fixture.sweep();
        return (await fixture.job(jobId)).state === state;
      },
      { what: `job ${jobId} is ${state}`, timeoutMs: 30_000 },
    );
  };
  const resultOf = async (workflowId: string): Promise<unknown> => await fixture.client.workflow.getHandle(workflowId).result();
  const pause = async (): Promise<void> =>
    void (await fixture.pool.query(`insert into yardmaster.host_hold (host, reason, actor) values ('*', 'a recording', 'test')`));
  /** Each story begins with a worker that takes its job at once. */
  const idle = async (): Promise<void> => {
    await until(
      async () => {
        await fixture.sweep();
        const { rowCount } = await fixture.pool.query(`select from yardmaster.host_probe where is_worker_up and active_jobs = 0`);
        return (rowCount ?? 0) > 0;
      },
      { what: 'a worker is idle', timeoutMs: 30_000 },
    );
  };

  const submitPaused = async (): Promise<Started> => {
    await pause();
    return await submit('/quick');
  };

  afterEach(async () => void (await fixture.pool.query('delete from yardmaster.host_hold')));

  test('records succeeded', async () => {
    await finish('succeeded', await submit('/quick?ms=100'));
  });

  test('records failed', async () => {
    await finish('failed', await submit('/invalid'));
  });

  test('records failed-and-tried-again', async () => {
    await finish('failed-and-tried-again', await submit('/fails-before-form?times=1&ms=50'));
  });

  test('records expired', async () => {
    const started = await submitPaused();
    await finish('expired', started);
  });

  test('records cancelled while it waits, by a signal', async () => {
    const started = await submitPaused();
    await fixture.until(started.jobId, 'waiting');
    await started.handle.signal(cancelSignal, { reason: 'a recording', actor: 'test' });
    await finish('cancelled-while-waiting', started);
    await resultOf(makeCancelJobId(started));
    await record('cancel-job-of-a-waiting-job', makeCancelJobId(started));
  });

  test('records cancelled while it runs', async () => {
    const started = await submit('/slow-start?startMs=600000');
    await fixture.until(started.jobId, 'running');
    await started.handle.signal(cancelSignal, { actor: 'test' });
    await finish('cancelled-while-running', started);
    await resultOf(makeCancelJobId(started));
    await record('cancel-job-of-a-running-job', makeCancelJobId(started));
  });

  test('records resumed', async () => {
    const started = await submit('/blocker?type=captcha&ms=1500');
    await fixture.until(started.jobId, 'waiting_human');
    await started.handle.signal(resumeSignal, { resolutionType: 'manual', actor: 'test' });
    await finish('succeeded-after-a-human', started);
    await resultOf(makeResumeJobId(started));
    await record('resume-job', makeResumeJobId(started));
  });

  test('records lost and tried again', async () => {
    const started = await submit('/crash?when=before-form&times=1&ms=50');
    await sweepUntil(started.jobId, 'succeeded');
    await finish('lost-and-tried-again', started);
  });

  test('records uncertain, then resolved', async () => {
    const started = await submit('/fails-after-form?code=timeout&ms=50');
    await fixture.until(started.jobId, 'uncertain');
    await started.handle.signal(resolveSignal, { submitted: true, note: 'a recording', actor: 'test' });
    await finish('uncertain-then-resolved', started);
  });

  test('records a retried generation', async () => {
    const started = await submit('/fails-after-form?times=1&ms=50');
    await fixture.until(started.jobId, 'uncertain');
    await started.handle.signal(retrySignal, { confirm: true, actor: 'test' });
    await finish('retried-generation', started);
  });

  test('records a review that is resolved', async () => {
    const started = await submit('/review?ms=50');
    await sweepUntil(started.jobId, 'waiting_human');
    await started.handle.signal(resolveSignal, { submitted: false, actor: 'test' });
    await finish('review-resolved', started);
    // It blocks its worker for ever.
    for (const { ip } of fixture.simulator.hosts) fixture.simulator.kill(ip, { restart: true });
  });

  test('records callbacks that outlive their job', async () => {
    const started = await submit('/quick?ms=50&lost=running');
    fixture.failCallbacks([500, 500, 500]);
    await finish('succeeded-with-callbacks-left', started);
    const workflowId = makeDeliverCallbacksId({ jobId: started.jobId, generation: 1 });
    await resultOf(workflowId);
    await record('deliver-callbacks', workflowId);
  });

  test('records a pass over the fleet', async () => {
    await pause();
    const started = await fixture.submit('https://sim.test/quick', { jobId: randomUUID() });
    const workflowId = 'worker-cleanup-recorded';
    await fixture.client.workflow.execute('workerCleanup', { workflowId, taskQueue: fixture.taskQueue });
    await record('worker-cleanup', workflowId);
    await started.result();
  });

  test('records a drain, which waits for a job', async () => {
    const started = await submit('/quick?ms=1500');
    const { attempt } = await fixture.until(started.jobId, 'running');
    const drained = { workerId: attempt?.workerId ?? '', reason: 'a recording', actor: 'test' };
    const workflowId = makeDrainWorkerId(drained);
    await fixture.client.workflow.execute('drainWorker', { workflowId, taskQueue: fixture.taskQueue, args: [drained] });
    await record('drain-worker', workflowId);
  });

  test('records a recycle, which interrupts a job', async () => {
    const started = await submit('/slow-start?startMs=600000&times=1&ms=50');
    const { attempt } = await fixture.until(started.jobId, 'running');
    const recycled = { workerId: attempt?.workerId ?? '', reason: 'a recording', actor: 'test', force: true };
    const workflowId = makeRecycleWorkerId(recycled);
    await fixture.client.workflow.execute('recycleWorker', { workflowId, taskQueue: fixture.taskQueue, args: [recycled] });
    await record('recycle-worker', workflowId);
    await started.handle.result();
  });
};
