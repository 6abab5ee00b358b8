import type { NewJob } from '../../contracts/job';
import { applyDescription, cleanMetadata, tierOf, type Arrival } from '../new-job';
import { makeRequestHash } from '../request-hash';
import { withoutUrlSecrets, withoutUrlSecretsDeep } from '../../domain/url-secrets';
import { attemptsMaxDefault } from '../schemas/submit-job';
import type { ValetApply, ValetTask } from './valet-schemas';

export const applyToNewJob = (request: ValetApply, arrival: Arrival): NewJob => {
  const resumeRef = Object.values(request.resume).some((value) => value !== undefined) ? { ...request.resume } : null;
  return {
    ...sharedFields(request, arrival),
    jobType: 'apply',
    taskDescription: applyDescription,
    inputData: {
      user_data: withoutUrlSecretsDeep(request.profile),
      qa_overrides: request.qa_answers ?? {},
      tier: tierOf[request.quality],
      platform: request.platform,
      ...modelsOf(request),
    },
    metadata: { ...sharedMetadata(request), ...(resumeRef === null ? {} : { resume_ref: resumeRef }) },
    resumeRef,
    tags: ['valet', 'apply'],
  };
};

export const taskToNewJob = (request: ValetTask, arrival: Arrival): NewJob => ({
  ...sharedFields(request, arrival),
  jobType: request.job_type,
  taskDescription: request.task_description,
  inputData: { ...request.input_data, ...modelsOf(request) },
  metadata: sharedMetadata(request),
  resumeRef: null,
  tags: ['valet', request.job_type],
});

type SharedFields = Omit<NewJob, 'jobType' | 'taskDescription' | 'inputData' | 'metadata' | 'resumeRef' | 'tags'>;

const sharedFields = (request: ValetApply | ValetTask, arrival: Arrival): SharedFields => {
  const callbackUrl = request.callback_url === undefined || request.callback_url === null ? null : withoutUrlSecrets(request.callback_url);
  return {
    ...arrival,
    idempotencyKey: request.idempotency_key ?? null,
    requestHash: makeRequestHash({ ...request, callback_url: callbackUrl }),
    userId: request.valet_user_id,
    valetTaskId: request.valet_task_id,
    targetUrl: request.target_url,
    priority: request.priority,
    timeoutSeconds: request.timeout_seconds,
    attemptsMax: attemptsMaxDefault,
    executionMode: request.execution_mode,
    wantedWorker: request.target_worker_id ?? null,
    affinity: request.worker_affinity,
    callbackUrl,
  };
};

const sharedMetadata = (request: ValetApply | ValetTask): Record<string, unknown> => ({
  ...cleanMetadata(request.metadata),
  source: 'valet',
  quality_preset: request.quality,
  valet_task_id: request.valet_task_id,
});

const modelsOf = ({ model, image_model: imageModel }: ValetApply | ValetTask): Record<string, string> => ({
  ...(model === undefined ? {} : { model }),
  ...(imageModel === undefined ? {} : { image_model: imageModel }),
});
