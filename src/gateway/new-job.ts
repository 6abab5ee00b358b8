import type { NewJob } from '../contracts/job';
import { makeRequestHash } from './request-hash';
import type { SubmitJob } from './schemas/submit-job';
import { withoutUrlSecrets, withoutUrlSecretsDeep } from '../domain/url-secrets';

/** What a request does not say itself. */
export interface Arrival {
  jobId: string;
  idempotencyKey: string | null;
  /** Name of the key. */
  acceptedBy: string;
  requestId: string;
}

/** GH derives a model tier from the product's word (ghosthands §1.3). */
export const tierOf = { quality: 'pro', speed: 'free', balanced: 'starter' } as const;

export const applyDescription = 'Apply to the job posting at the target URL';

/** The request in the words of the row that GH reads (ghosthands §1.3). The wanted worker may still be a sandbox id. */
export const makeNewJob = (request: SubmitJob, arrival: Arrival): NewJob => {
  const callbackUrl = request.callbackUrl === undefined ? null : withoutUrlSecrets(request.callbackUrl);
  const resumeRef = request.resume === undefined ? null : snake(request.resume);
  return {
    ...arrival,
    requestHash: makeRequestHash({ ...request, callbackUrl }),
    userId: request.userId,
    valetTaskId: request.taskId ?? null,
    jobType: request.jobType,
    targetUrl: request.targetUrl,
    taskDescription: request.taskDescription ?? applyDescription,
    inputData: makeInputData(request),
    metadata: {
      ...cleanMetadata(request.metadata ?? {}),
      source: 'yardmaster',
      quality_preset: request.quality,
      ...(request.taskId === undefined ? {} : { valet_task_id: request.taskId }),
      ...(resumeRef === null ? {} : { resume_ref: resumeRef }),
    },
    resumeRef,
    tags: ['yardmaster', request.jobType],
    priority: request.priority,
    timeoutSeconds: request.timeoutSeconds,
    attemptsMax: request.maxAttempts,
    executionMode: request.executionMode,
    wantedWorker: request.worker?.id ?? null,
    affinity: request.worker?.affinity ?? 'any',
    callbackUrl,
  };
};

const makeInputData = (request: SubmitJob): Record<string, unknown> => {
  const models = {
    ...(request.model === undefined ? {} : { model: request.model }),
    ...(request.imageModel === undefined ? {} : { image_model: request.imageModel }),
  };
  if (request.jobType !== 'apply') return { ...request.inputData, ...models };
  return {
    user_data: withoutUrlSecretsDeep(snake(request.profile ?? {})),
    qa_overrides: request.answers ?? {},
    tier: tierOf[request.quality],
    platform: request.platform,
    ...models,
  };
};

/** Without `callback_url`: whatever falls back to it would call the product past us. Without `dispatch_target`: it marks VALET's desktop fleet. */
export const cleanMetadata = (metadata: Record<string, unknown>): Record<string, unknown> => {
  const { callback_url: _callbackUrl, dispatch_target: _dispatchTarget, yardmaster: _ours, ...rest } = metadata;
  return Object.fromEntries(Object.entries(rest).map(([name, value]) => [name, withoutUrlSecretsDeep(value)]));
};

/** Our camelCase in GH's snake_case; the names come from our schema, so none is dangerous. */
const snake = (value: object): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), snakeItem(item)]),
  );

const snakeItem = (item: unknown): unknown => {
  if (Array.isArray(item)) return item.map(snakeItem);
  return typeof item === 'object' && item !== null ? snake(item) : item;
};
