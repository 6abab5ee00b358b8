import { z } from 'zod';
import { limits } from '../../contracts/limits';
import type { ProductStatus } from '../../db/jobs/product-status';
import { ghStatusOf, isTerminal } from '../../domain/job-state';
import { graceOfWait } from '../../domain/next-step';
import { withoutPageSecrets } from '../../domain/url-secrets';

/** GH's answer and the one that VALET's types expect, in one (valet §1.2). */
export const makeStatusAnswer = (job: ProductStatus): object => {
  const cost = costOf(job);
  return {
    job_id: job.jobId,
    valet_task_id: job.valetTaskId,
    status: ghStatusOf[job.state],
    status_message: job.detail === '' ? null : job.detail,
    worker_id: job.workerId,
    target_worker_id: job.wantedWorker,
    progress: job.progressPct,
    result: job.state === 'succeeded' ? resultOf(job) : null,
    error: errorOf(job),
    interaction: job.state === 'waiting_human' ? interactionOf(job) : null,
    execution_mode: job.executionMode,
    browser_mode: job.browserMode,
    final_mode: job.finalMode,
    manual: null,
    cost,
    cost_breakdown: cost,
    browser_session_available: false,
    timestamps: {
      created_at: job.acceptedAt,
      started_at: job.startedAt,
      // Only with an end (ghosthands §3.4); `uncertain` is `failed` in the product's words, which is one there.
      completed_at: isTerminal(job.state) ? job.endedAt : job.state === 'uncertain' ? job.stateAt : null,
    },
  };
};

const screenshotsSchema = z.array(z.string()).catch([]);
const looseSchema = z
  .object({
    confirmation_id: z.string().nullable().catch(null),
    fields_filled: z.number().nullable().catch(null),
  })
  .catch({ confirmation_id: null, fields_filled: null });

const resultOf = ({ resultData, resultSummary, screenshots }: ProductStatus): object => {
  const urls = screenshotsSchema.parse(screenshots);
  return {
    data: resultData ?? null,
    summary: resultSummary,
    screenshots: urls,
    screenshot_url: urls[0] ?? null,
    ...looseSchema.parse(resultData),
  };
};

const errorOf = ({ state, errorCode, errorMessage, detail }: ProductStatus): object | null => {
  if (state !== 'failed' && state !== 'expired' && state !== 'uncertain') return null;
  // The words of the final callback (valet §2.2).
  const code = state === 'uncertain' ? 'submission_uncertain' : state === 'expired' ? 'expired' : (errorCode ?? 'failed').slice(0, 50);
  const why = errorMessage ?? (detail === '' ? 'The application ended without a reason' : detail);
  const message = state === 'uncertain' ? `It may already be submitted: check before retrying. ${why}` : why;
  return { code, message, details: { message } };
};

const interactionSchema = z
  .object({
    description: z.string().nullable().catch(null),
    details: z.unknown().optional(),
    screenshot_url: z.string().nullable().catch(null),
    page_url: z.string().nullable().catch(null),
  })
  .catch({ description: null, details: null, screenshot_url: null, page_url: null });

const interactionOf = (job: ProductStatus): object => {
  const { details, description, ...urls } = interactionSchema.parse(withoutPageSecrets(job.interaction));
  return {
    type: job.humanKind === 'review' ? 'review' : (job.interactionType ?? 'unknown'),
    description: description ?? (typeof details === 'string' ? details : null),
    ...urls,
    paused_at: job.stateAt,
    timeout_seconds: waitSecondsOf(job),
  };
};

/** From `paused_at` on, as GH says it. */
const waitSecondsOf = ({ deadlineAt, stateAt, humanKind }: ProductStatus): number => {
  if (deadlineAt === null) return 0;
  return Math.max(0, Math.floor((deadlineAt.getTime() - graceOfWait(humanKind, limits) - stateAt.getTime()) / 1000));
};

const count = z.number().catch(0);
const costSchema = z.object({
  cost: z.object({ total_cost_usd: count, action_count: count, total_tokens: count.optional(), input_tokens: count, output_tokens: count }),
});

const costOf = ({ resultData }: ProductStatus): object | null => {
  const read = costSchema.safeParse(resultData);
  if (!read.success) return null;
  const { total_cost_usd, action_count, total_tokens, input_tokens, output_tokens } = read.data.cost;
  return { total_cost_usd, action_count, total_tokens: total_tokens ?? input_tokens + output_tokens };
};
