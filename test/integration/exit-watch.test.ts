import type { HostReader, WorkerPortAnswer } from '../../activities/deps';
import { createWorkerActActivities } from '../../activities/fleet/worker-acts';
import { limits } from '../../src/contracts/limits';
import type { PortAnswer } from '../../src/domain/process-liveness';
import { withDatabase } from '../support/database';
import { addAttempt, addWaitingJob, addWorker } from '../support/fleet-rows';
import { makeDeps } from '../support/orchestrator-deps';

const database = withDatabase();
const fast = { ...limits, exitProofMs: 300, exitProbeEveryMs: 10, portBoundMs: 500 };

const answering = (workerId: string, uptimeMs: number): WorkerPortAnswer => ({
  kind: 'answers',
  status: { worker_id: workerId, active_jobs: 1, is_running: true, is_draining: false, dispatch_mode: 'legacy', uptime_ms: uptimeMs },
});
/** Each question has the next of the answers, and the last one for ever. */
const readerOf = (...answers: WorkerPortAnswer[]): HostReader => ({
  readWorkerPort: async () => await Promise.resolve((answers.length > 1 ? answers.shift() : answers[0]) ?? { kind: 'refused' }),
  readApi: async () => await Promise.resolve({ isUp: true, imageTag: null }),
});
const refused: WorkerPortAnswer = { kind: 'refused' };

const prove = async (hosts: HostReader, { claimedAgoMs, before }: { claimedAgoMs: number; before: PortAnswer }) => {
  const { workerId, host } = await addWorker(database.pool);
  const jobId = await addWaitingJob(database.pool);
  const attemptId = await addAttempt(database.pool, { jobId, workerId, state: 'running', tookMs: claimedAgoMs });
  const activities = createWorkerActActivities({ ...makeDeps(database.pool, { hosts, limits: fast }), heartbeat: () => {} });
  return await activities.proveRecycled({ target: { workerId, host, instanceId: null }, attemptId, before });
};

describe('after a recycle whose command may have failed', () => {
  const before: PortAnswer = { kind: 'refused', atMs: Date.now() };

  it('P1: a refusal a moment after the claim proves nothing: a fresh process claims before its port is bound, and answers then', async () => {
    const hosts = readerOf(refused, refused, refused, refused, answering('worker-1', 60_000));
    expect(await prove(hosts, { claimedAgoMs: 0, before })).toBeNull();
  });

  it('a port that refuses when it must be bound proves that nobody is there', async () => {
    expect(await prove(readerOf(refused), { claimedAgoMs: 0, before })).toBe('gone');
    expect(await prove(readerOf(refused), { claimedAgoMs: 60_000, before })).toBe('gone');
  });

  it('what an orchestrator of the release before has seen is taken as it was: a process that started after it is another one', async () => {
    // Its histories have the answer one level deeper.
    const old = { seen: { kind: 'answers', workerId: 'worker-3' }, atMs: Date.now() - 60_000 } as unknown as PortAnswer;
    const { workerId, host } = await addWorker(database.pool, { workerId: 'worker-3' });
    const proveBy = async (uptimeMs: number) => {
      const deps = makeDeps(database.pool, {
        hosts: readerOf(answering(workerId, uptimeMs)),
        limits: { ...fast, processStartJitterMs: 0 },
      });
      const activities = createWorkerActActivities({ ...deps, heartbeat: () => {} });
      return await activities.proveRecycled({ target: { workerId, host, instanceId: null }, attemptId: null, before: old });
    };
    expect(await proveBy(120_000)).toBeNull();
    expect(await proveBy(1_000)).toBe('gone');
  });
});
