import { randomUUID } from 'node:crypto';
import type { RequestHandler } from 'express';
import { listCommands } from '../../db/commands/commands';
import { findFleetPause } from '../../db/fleet/holds';
import { findJobDetails, listJobs, type JobDetails } from '../../db/jobs/job-reads';
import { findJob } from '../../db/jobs/jobs';
import type { Queryable } from '../../db/queryable';
import { withTransaction } from '../../db/pool';
import { countWorkers } from '../../db/fleet/worker-counts';
import { commandView } from '../commands/command-answer';
import { makeCursor, parseCursor } from '../cursor';
import { answer, type Answer } from '../endpoint';
import { endpoints } from '../endpoints';
import type { GatewayDeps } from '../gateway-deps';
import { jobAnswer, pageAnswer, type Waiting } from '../job-answers';
import { findLeftWorker, listWorkersToRestart } from '../left-workers';
import { makeNewJob } from '../new-job';
import { noSuchJob, Problem } from '../problem';
import { checkCallbackOrigin, submit, type Submission } from '../submission';

/** What a client does with a job besides commanding it. */
export const createJobRoutes = (deps: GatewayDeps): Record<'submitJob' | 'listJobs' | 'getJob', RequestHandler> => ({
  submitJob: answer(endpoints.submitJob, async ({ body, headers }, facts) => {
    checkCallbackOrigin(body.callbackUrl, 'callbackUrl', deps.settings.allowedCallbackOrigins);
    const job = makeNewJob(body, {
      jobId: randomUUID(),
      idempotencyKey: headers['idempotency-key'] ?? null,
      acceptedBy: facts.caller?.name ?? '',
      requestId: facts.requestId,
    });
    const submission = await submit(deps, job, facts);
    if (submission.kind === 'conflict') throw conflict(submission);
    return await acceptedAnswer(deps, submission);
  }),

  listJobs: answer(endpoints.listJobs, async ({ query }) => {
    const needsAttention = query.needsAttention ?? false;
    const order = needsAttention ? 'deadline' : 'newest';
    const page = await listJobs(deps.pool, {
      states: query.state ?? null,
      userId: query.userId ?? null,
      taskId: query.taskId ?? null,
      workerId: query.workerId ?? null,
      needsAttention,
      after: query.cursor === undefined ? null : parseCursor(query.cursor, order),
      rows: query.limit ?? deps.limits.pageRowsDefault,
    });
    const pause = await findFleetPause(deps.pool);
    const toRestart = needsAttention ? await listWorkersToRestart(deps.pool, deps) : null;
    return { status: 200, body: pageAnswer(page.jobs, page.next === null ? null : makeCursor(order, page.next), pause, toRestart) };
  }),

  getJob: answer(endpoints.getJob, async ({ params: { jobId } }) => {
    const body = await withTransaction(deps.pool, async (client) => {
      // One moment for all of it: a state never contradicts its timeline.
      await client.query('set transaction isolation level repeatable read, read only');
      const job = await findJobDetails(client, jobId, { rows: deps.limits.pageRowsMax });
      if (job === null) throw noSuchJob(jobId);
      const commands = await listCommands(client, { jobId, rows: deps.limits.pageRowsMax });
      return {
        ...jobAnswer(job, await findWaiting(client, job, deps), await findFleetPause(client)),
        commands: {
          open: commands.filter(({ endedAt }) => endedAt === null).map(commandView),
          last: commands.slice(0, deps.limits.lastCommandsShown).map(commandView),
        },
        leftWorker: await findLeftWorker(client, deps, jobId),
      };
    });
    return { status: 200, body };
  }),
});

const acceptedAnswer = async (
  { pool }: GatewayDeps,
  { kind, jobId, acceptedAt, isStarted }: Submission & { acceptedAt: Date },
): Promise<Answer> => {
  const isReplay = kind === 'replay';
  const now = isReplay ? await findJob(pool, jobId) : null;
  return {
    status: isReplay ? 200 : isStarted ? 201 : 202,
    headers: { Location: `/v1/jobs/${jobId}` },
    body: { jobId, state: now?.state ?? 'accepted', generation: now?.generation ?? 1, acceptedAt, isReplay, isStarted },
  };
};

const conflict = ({ jobId, over }: { jobId: string; over: 'key' | 'task' }): Problem =>
  new Problem(
    'idempotency_conflict',
    over === 'key'
      ? `The Idempotency-Key belongs to job ${jobId}, which came with a different request: use a new key, or repeat that request unchanged`
      : `Job ${jobId} of this taskId came with a different request, and lives, has submitted or may have: a task is one application, so look at that job, or use another taskId`,
  );

const findWaiting = async (db: Queryable, job: JobDetails, { limits }: Pick<GatewayDeps, 'limits'>): Promise<Waiting | null> =>
  job.state === 'accepted' || job.state === 'waiting'
    ? await countWorkers(db, { wantedId: job.wantedWorker?.wantedId ?? null, limits })
    : null;
