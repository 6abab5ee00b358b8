import type { CallbackBody, CallbackStatus } from '../contracts/callback';
import type { HumanKind, JobState } from '../contracts/job';
import { withoutPageSecrets } from './url-secrets';

/** What a callback tells about a job; what does not apply is null. */
export interface CallbackFacts {
  jobId: string;
  valetTaskId: string | null;
  state: JobState;
  workerId: string | null;
  at: Date;
  errorCode: string | null;
  errorMessage: string | null;
  humanKind: HumanKind | null;
  humanWaitMs: number | null;
  isRerunByGh: boolean;
  result: {
    resultData: unknown;
    resultSummary: string | null;
    screenshotUrl: string | null;
    cost: CallbackBody['cost'] | null;
    interactionType: string | null;
    interaction: { description: string | null; page_url: string | null; screenshot_url: string | null };
  } | null;
}

/** The fields of valet §2.2 for each status, and no others. Addresses of pages have lost their secrets: the body is kept, and sent to another party. */
export const makeCallbackBody = (status: CallbackStatus, facts: CallbackFacts): CallbackBody => ({
  job_id: facts.jobId,
  valet_task_id: facts.valetTaskId,
  status,
  ...(facts.workerId === null ? {} : { worker_id: facts.workerId }),
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Addresses stay texts, and nothing else is touched.
  ...(withoutPageSecrets(fieldsOf(status, facts)) as Partial<CallbackBody>),
});

const fieldsOf = (status: CallbackStatus, facts: CallbackFacts): Partial<CallbackBody> => {
  switch (status) {
    case 'running':
      return {};
    case 'paused':
      return { interaction: interactionOf(facts) };
    case 'completed':
      return {
        completed_at: facts.at.toISOString(),
        result_data: facts.result?.resultData ?? undefined,
        result_summary: withRerun(facts.result?.resultSummary ?? 'Application submitted', facts),
        screenshot_url: facts.result?.screenshotUrl ?? undefined,
        cost: facts.result?.cost ?? undefined,
      };
    case 'failed':
      return { completed_at: facts.at.toISOString(), cost: facts.result?.cost ?? undefined, ...errorOf(facts) };
    case 'expired':
      return {
        completed_at: facts.at.toISOString(),
        error_code: 'expired',
        error_message: facts.errorMessage ?? 'No worker was free in time',
      };
    case 'cancelled':
      return { completed_at: facts.at.toISOString() };
  }
};

const errorOf = (facts: CallbackFacts): Partial<CallbackBody> =>
  facts.state === 'uncertain'
    ? {
        error_code: 'submission_uncertain',
        error_message: withRerun(`It may already be submitted: check before retrying. ${facts.errorMessage ?? ''}`.trim(), facts),
      }
    : // VALET's column holds 50 characters (valet §2.2).
      {
        error_code: (facts.errorCode ?? 'failed').slice(0, 50),
        error_message: withRerun(facts.errorMessage ?? 'The application failed', facts),
      };

/** GH re-runs the form by itself after a browser crash (ghosthands §5.3): said in the result, since nothing else shows it. */
const withRerun = (text: string, facts: CallbackFacts): string =>
  facts.isRerunByGh ? `${text} (the worker's browser crashed and it ran the form again: check for a double submission)` : text;

const interactionOf = (facts: CallbackFacts): NonNullable<CallbackBody['interaction']> => ({
  type: facts.humanKind === 'review' ? 'review' : (facts.result?.interactionType ?? 'unknown'),
  description:
    facts.humanKind === 'review'
      ? 'The form is filled and waits for a person to review and submit it'
      : (facts.result?.interaction.description ?? 'The worker waits for a person'),
  ...(facts.result?.interaction.page_url ? { page_url: facts.result.interaction.page_url } : {}),
  ...((facts.result?.interaction.screenshot_url ?? facts.result?.screenshotUrl)
    ? { screenshot_url: facts.result?.interaction.screenshot_url ?? facts.result?.screenshotUrl ?? undefined }
    : {}),
  // Never more than is true; what is sent later says less (src/db/callbacks/callbacks.ts).
  timeout_seconds: Math.max(0, Math.floor((facts.humanWaitMs ?? 0) / 1000)),
});
