import { z } from 'zod';
import type { NewJob } from '../contracts/job';
import type { Actor } from '../db/audit';
import { acceptJob, type Acceptance } from '../db/jobs/accept-job';
import { findRefusal, isDatabaseOutage, isLostRace, isUniqueViolation } from '../db/outage';
import { findInstanceOfSandbox } from '../db/fleet/sandboxes';
import { actorOf } from './actor';
import type { GatewayDeps } from './gateway-deps';
import { invalidField, Problem } from './problem';
import type { RequestFacts } from './request-facts';

export type Submission = Acceptance & { isStarted: boolean };

/** What the caller's dialect calls the fields that the fleet's table may refuse. */
interface FieldNames {
  executionMode: string;
  jobType: string;
}

type SubmissionDeps = Pick<GatewayDeps, 'pool' | 'workflows' | 'limits'>;

/** Accepts the job, then starts its workflow. The row is the promise: a start that fails is the sweep's. */
export const submit = async (
  deps: SubmissionDeps,
  job: NewJob,
  facts: RequestFacts,
  fieldNames: FieldNames = { executionMode: 'executionMode', jobType: 'jobType' },
): Promise<Submission> => {
  const wantedWorker = await resolveWantedWorker(deps, job.wantedWorker, facts.log);
  const acceptance = await acceptAgain(deps, { ...job, wantedWorker }, actorOf(facts), fieldNames);
  // From the request to its job: the lines of the orchestrator name the job alone.
  facts.log = facts.log.child({ jobId: acceptance.jobId });
  if (acceptance.kind !== 'created') return { ...acceptance, isStarted: true };
  const { jobId, userId, requestId } = job;
  const started = await deps.workflows.startApplyJob({ jobId, userId, requestId });
  if (started.kind === 'unreachable') {
    facts.log.warn('Temporal did not take the job in time; it is accepted and the sweep starts it', { error: started.error });
  }
  return { ...acceptance, isStarted: started.kind === 'started' || started.kind === 'ended' };
};

const triesMax = 3;

/**
 * A failed statement wrote nothing, so it may simply be repeated: the job that held the key may have ended meanwhile, or a deadlock chose us.
 * What stays refused is the neighbours' table speaking.
 */
const acceptAgain = async ({ pool, limits }: SubmissionDeps, job: NewJob, by: Actor, fieldNames: FieldNames): Promise<Acceptance> => {
  for (let tries = 1; ; tries++) {
    try {
      return await acceptJob(pool, job, by, limits);
    } catch (error) {
      const refusal = findRefusal(error);
      // Another caller's row with the same key may have come in the same moment: the next try sees it.
      if (isUniqueViolation(error)) {
        if (tries === triesMax) throw keyIsTaken();
        continue;
      }
      if (refusal?.code === '23514')
        throw invalidField(fieldOf(refusal.constraint, fieldNames), 'the table of this fleet does not know this value');
      if (tries === triesMax || (isDatabaseOutage(error) && !isLostRace(error))) throw error;
    }
  }
};

/** GH keeps one row per key too, also for jobs that never were ours, or that we have forgotten since. */
const keyIsTaken = (): Problem =>
  new Problem('idempotency_conflict', 'A row of GH that is no job of ours, or no longer, has this idempotency key: use a new key');

const fieldOf = (constraint: string | null, names: FieldNames): string => {
  if (constraint?.includes('execution_mode') === true) return names.executionMode;
  return constraint?.includes('type') === true ? names.jobType : 'body';
};

const sandboxIdSchema = z.guid();

const resolveWantedWorker = async ({ pool }: SubmissionDeps, wantedId: string | null, log: RequestFacts['log']): Promise<string | null> => {
  if (wantedId === null || !sandboxIdSchema.safeParse(wantedId).success) return wantedId;
  try {
    return (await findInstanceOfSandbox(pool, wantedId)) ?? wantedId;
  } catch (error) {
    if (isDatabaseOutage(error)) throw error;
    log.warn("The product's sandboxes cannot be read: a sandbox id is taken for the id of a worker", { error });
    return wantedId;
  }
};

/** The setting is named, since its owner reads this answer. */
export const checkCallbackOrigin = (callbackUrl: string | undefined | null, path: string, allowed: readonly string[]): void => {
  if (callbackUrl === undefined || callbackUrl === null) return;
  const { origin } = new URL(callbackUrl);
  if (allowed.includes(origin)) return;
  throw invalidField(path, `the origin ${origin} may not be called: add it to CALLBACK_ALLOWED_ORIGINS, or leave ${path} out`);
};
