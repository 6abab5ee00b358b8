import { type Behaviour, parseBehaviour } from './behaviours';
import type { CallbackPayload } from './callbacks';
import { type ClaimedJob, identifyAttempt } from './claimed-job';
import type { SubmissionEvent } from './submissions-log';
import type { WorkerContext } from './worker-context';

/** How far GH says that it is, in the order of its own steps, with its words (ghosthands §3.2). */
const progressSteps = {
  initializing: 'Starting browser agent',
  navigating: 'Navigating to application page',
  filling_form: 'Filling out form fields',
  submitting: 'Submitting application',
  review: 'Waiting for user to review and submit',
  completed: 'Application complete',
  failed: 'Job failed',
};
export type ProgressStep = keyof typeof progressSteps;

const totalActionsEstimate = 50;

/** What one run of a job leaves behind: its row, its events, its callbacks, its lines in the submissions log. */
export class AttemptRecord {
  readonly behaviour: Behaviour;
  readonly attemptNumber: number;
  actionCount = 0;
  private readonly jobId: string;
  private readonly startedAt = Date.now();
  private lastProgressAt = 0;

  constructor(
    readonly worker: WorkerContext,
    readonly job: ClaimedJob,
  ) {
    this.behaviour = parseBehaviour(job.target_url);
    const { jobId, attemptNumber } = identifyAttempt(job);
    this.jobId = jobId;
    this.attemptNumber = attemptNumber;
  }

  /** How long the browser of this attempt takes; null takes GH's scaled default. */
  get startMs(): number | null {
    return this.attemptNumber <= this.behaviour.slowStarts ? this.behaviour.startMs : null;
  }

  note(event: SubmissionEvent, detail?: string): void {
    const { workerId, processId, log } = this.worker;
    log.write({ workerId, processId, rowId: this.job.id, jobId: this.jobId, attemptNumber: this.attemptNumber, event, detail });
  }

  async patch(columns: Record<string, unknown>): Promise<void> {
    await this.worker.rest.patchJob(this.job.id, columns);
  }

  /** started_at is set anew with every `running` (ghosthands §5.1). */
  async updateStatus(status: string, message: string): Promise<void> {
    const now = this.worker.now();
    await this.patch({ status, status_message: message, last_heartbeat: now, ...(status === 'running' && { started_at: now }) });
  }

  async event(eventType: string, metadata: Record<string, unknown> = {}): Promise<void> {
    await this.worker.rest.insertEvent({ rowId: this.job.id, eventType, metadata, actor: this.worker.workerId });
  }

  /** Progress is an event only; the row's metadata no longer gets it (ghosthands §3.2). */
  async progress(step: ProgressStep, options: { isThrottled?: boolean } = {}): Promise<void> {
    const now = Date.now();
    if (options.isThrottled && now - this.lastProgressAt < this.worker.times.progressThrottleMs) return;
    this.lastProgressAt = now;
    const names = Object.keys(progressSteps);
    const pct = step === 'completed' ? 100 : Math.min(99, Math.round((names.indexOf(step) / names.length) * 100));
    await this.event('progress_update', {
      step: step === 'review' ? this.reviewStatus : step,
      progress_pct: pct,
      description: progressSteps[step],
      action_index: this.actionCount,
      total_actions_estimate: totalActionsEstimate,
      started_at: new Date(this.startedAt).toISOString(),
      elapsed_ms: now - this.startedAt,
      eta_ms: null,
      execution_mode: 'magnitude',
    });
  }

  /** Main's status is legal in no table; staging's is (ghosthands §5.5). */
  get reviewStatus(): string {
    return this.worker.variant === 'staging' ? 'awaiting_review' : 'awaiting_user_review';
  }

  get costColumns(): { llm_cost_cents: number; action_count: number; total_tokens: number } {
    return { llm_cost_cents: this.actionCount, action_count: this.actionCount, total_tokens: this.actionCount * 1_200 };
  }

  /** As `result_data.cost`; a callback has the other shape (ghosthands §8). */
  get resultCost(): Record<string, number> {
    const tokens = this.costColumns.total_tokens;
    return {
      input_tokens: tokens * 0.75,
      output_tokens: tokens * 0.25,
      total_cost_usd: this.costColumns.llm_cost_cents / 100,
      action_count: this.actionCount,
    };
  }

  get callbackCost(): Record<string, number> {
    const { llm_cost_cents: cents, action_count, total_tokens } = this.costColumns;
    return { total_cost_usd: cents / 100, action_count, total_tokens };
  }

  get zeroCost(): Record<string, number> {
    return { total_cost_usd: 0, action_count: 0, total_tokens: 0 };
  }

  /** `without` drops a field that GH's own sender leaves out in some places. */
  callback(status: CallbackPayload['status'], fields: Record<string, unknown> = {}): void {
    const { job, worker, behaviour } = this;
    const hasEnded = status === 'completed' || (status === 'failed' && fields.error_code !== undefined);
    const payload: CallbackPayload = {
      job_id: job.id,
      valet_task_id: job.valet_task_id,
      status,
      worker_id: worker.workerId,
      ...(hasEnded && { completed_at: worker.now().toISOString() }),
      ...fields,
    };
    worker.callbacks.send(job.callback_url, payload, behaviour.callbacks);
  }
}
