import type { HandlerResult } from './application';
import type { AttemptRecord } from './attempt-record';
import { isRetryable } from './gh-errors';

/** The last writes of an attempt, each as GH makes it: row, event, callback, in this order and without a fence (ghosthands §5.4, ghosthands §8). */

export async function finishInvalid(record: AttemptRecord): Promise<void> {
  const message = 'Input validation failed: user_data.email is missing';
  await record.updateStatus('failed', message);
  await record.patch({
    status: 'failed',
    completed_at: record.worker.now(),
    error_code: 'validation_error',
    error_details: { message, errors: ['user_data.email is missing'] },
    llm_cost_cents: 0,
    action_count: 0,
    total_tokens: 0,
  });
  record.callback('failed', { error_code: 'validation_error', error_message: message, cost: record.zeroCost });
}

export async function finishCompleted(record: AttemptRecord, result: HandlerResult): Promise<void> {
  const summary = result.data.submitted === true ? 'Application submitted successfully' : 'Task completed';
  const final = await writeMode(record, result);
  await record.progress('completed');
  // An old error_code stays (ghosthands §3.4).
  await record.patch({ status: 'completed', completed_at: record.worker.now(), result_summary: summary, ...final, ...record.costColumns });
  await record.event('job_completed', {
    handler: record.job.job_type,
    result_summary: summary,
    action_count: record.actionCount,
    total_tokens: record.costColumns.total_tokens,
    cost_cents: record.costColumns.llm_cost_cents,
    final_mode: 'magnitude',
    magnitude_steps: record.actionCount,
  });
  record.callback('completed', {
    result_data: final.result_data,
    result_summary: summary,
    screenshot_url: final.screenshot_urls[0],
    cost: record.callbackCost,
  });
}

/** No callback; main's status violates the CHECK, so the whole write is lost and only the event tells (ghosthands §5.5). */
export async function finishInReview(record: AttemptRecord, result: HandlerResult): Promise<void> {
  const final = await writeMode(record, result);
  await record.progress('review');
  await record.patch({
    status: record.reviewStatus,
    result_summary: 'Application filled — waiting for user to review and submit',
    ...final,
    ...record.costColumns,
  });
  await record.event(record.reviewStatus, {
    handler: record.job.job_type,
    action_count: record.actionCount,
    total_tokens: record.costColumns.total_tokens,
    cost_cents: record.costColumns.llm_cost_cents,
  });
}

/** `failed` goes out for every failed attempt, also for one that is `pending` again (ghosthands §8). */
export async function finishFailed(record: AttemptRecord, code: string, message: string): Promise<void> {
  const { job } = record;
  await record.progress('failed');
  await record.event('job_failed', {
    error_code: code,
    error_message: message,
    action_count: record.actionCount,
    retry_count: job.retry_count,
  });
  const { llm_cost_cents, ...counts } = record.costColumns;
  if (isRetryable(code) && job.retry_count < job.max_retries) {
    const backoffSeconds = Math.min(60, 2 ** job.retry_count * 5);
    await record.patch({
      status: 'pending',
      retry_count: job.retry_count + 1,
      error_code: code,
      error_details: { message, retry: job.retry_count + 1, backoff_seconds: backoffSeconds },
      worker_id: null,
      scheduled_at: new Date(record.worker.now().getTime() + backoffSeconds * 1_000 * record.worker.timeScale),
      ...counts,
    });
  } else {
    await record.patch({
      status: 'failed',
      completed_at: record.worker.now(),
      error_code: code,
      error_details: { message },
      llm_cost_cents,
      ...counts,
    });
  }
  record.callback('failed', { error_code: code, error_message: message, cost: record.callbackCost });
}

/** Staging only, and without a callback (ghosthands §9). */
export async function requeueForLogin(record: AttemptRecord): Promise<void> {
  await record.patch({
    status: 'pending',
    worker_id: null,
    scheduled_at: new Date(record.worker.now().getTime() + 5_000 * record.worker.timeScale),
    status_message: 'Recovering authentication',
  });
}

/** The metadata that the claim saw, with GH's own keys: what others wrote there since is gone. */
async function writeMode(record: AttemptRecord, result: HandlerResult) {
  const { job } = record;
  await record.patch({
    final_mode: 'magnitude',
    metadata: {
      ...job.metadata,
      engine: { manual_id: null, manual_status: 'no_manual_available', fallback_reason: null },
      cost_breakdown: { magnitude_steps: record.actionCount, magnitude_cost_usd: record.resultCost.total_cost_usd },
    },
  });
  return {
    result_data: { ...result.data, cost: record.resultCost },
    screenshot_urls: [`https://storage.sim.test/screenshots/gh/jobs/${job.id}/final.png`],
  };
}
