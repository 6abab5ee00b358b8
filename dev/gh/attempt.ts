import { randomUUID } from 'node:crypto';
import type { PoolClient } from 'pg';
import { type ApplicationState, applyToPosting, crashProcessIf, failIf, type HandlerResult } from './application';
import { AttemptRecord } from './attempt-record';
import type { ClaimedJob } from './claimed-job';
import { finishCompleted, finishFailed, finishInReview, finishInvalid, requeueForLogin } from './endings';
import { blockerTypeOf, classifyError } from './gh-errors';
import { askHuman } from './human-wait';
import { SimulatedBrowser } from './simulated-browser';
import type { WorkerContext } from './worker-context';

/** GH recovers this often within one attempt (ghosthands §5.3). */
const crashRecoveriesMax = 2;

/**
 * GH's executor on one claimed row (ghosthands §5, ghosthands §6, ghosthands §7). Every row write is unfenced. `run` ends when the worker is idle again,
 * which can be with the row still `running` (zombie), and never comes back at a review page.
 */
export class Attempt {
  private readonly record: AttemptRecord;
  private readonly attemptId = randomUUID();
  private isCancelled = false;
  /** Still the first browser after a crash recovery: later stops reach nobody (ghosthands §5.3). */
  private activeBrowser: SimulatedBrowser | null = null;
  /** The newest one. */
  private browser: SimulatedBrowser | null = null;
  private ending = 'zombie';

  constructor(
    private readonly worker: WorkerContext,
    private readonly job: ClaimedJob,
  ) {
    this.record = new AttemptRecord(worker, job);
  }

  async run(): Promise<void> {
    const { life, times } = this.worker;
    this.record.note('claimed');
    const stopHeartbeat = life.every(times.jobHeartbeatMs, () => void this.beat());
    let listener: PoolClient | null = null;
    try {
      await this.stampAttemptId();
      listener = await this.listenForCancel();
      await this.execute();
    } catch (error) {
      await this.handleError(error instanceof Error ? error.message : String(error));
    }
    stopHeartbeat();
    this.activeBrowser = null;
    await this.closeListener(listener);
    this.browser?.stop();
    await life.sleep(times.browserCloseMs);
    this.record.note('ended', this.ending);
  }

  /** For the process that ends under it. */
  recordKilled(reason: string): void {
    this.record.note('killed', reason);
  }

  recordConnectionLost(whose: string): void {
    this.record.note('connection_lost', whose);
  }

  private async stampAttemptId(): Promise<void> {
    const { database } = this.worker;
    if (!database.hasDirectPool) return;
    // Without the column this throws, the attempt fails, and the failure cannot be written: the hot loop of ghosthands §3.1.
    await database.poolQuery('update gh_automation_jobs set execution_attempt_id = $1 where id = $2', [this.attemptId, this.job.id]);
  }

  private async listenForCancel(): Promise<PoolClient | null> {
    const { database, life } = this.worker;
    if (!database.hasDirectPool) return null;
    const channel = `gh_job_cancel_${this.job.id}`;
    try {
      const client = await database.checkOut('cancel listener');
      await life.run(client.query(`LISTEN "${channel}"`));
      client.on('notification', (message) => {
        if (message.channel === channel) life.whenAwake(() => this.cancel());
      });
      return client;
    } catch {
      // GH goes on without a listener, and counts on its heartbeat.
      return null;
    }
  }

  private async closeListener(listener: PoolClient | null): Promise<void> {
    if (!listener) return;
    try {
      await this.worker.life.run(listener.query(`UNLISTEN "gh_job_cancel_${this.job.id}"`));
      listener.removeAllListeners('notification');
      listener.release();
    } catch {
      // The connection is gone: GH leaks the client as well, and its process is about to end.
    }
  }

  /** Meant to stop the run; in fact it closes the browser, which GH takes for a crash and begins again (ghosthands §7.1). */
  private cancel(): void {
    this.isCancelled = true;
    this.activeBrowser?.stop();
  }

  private async beat(): Promise<void> {
    const row = await this.worker.rest.patchJob(this.job.id, { last_heartbeat: this.worker.now() });
    const isForeign =
      row?.execution_attempt_id != null && row.execution_attempt_id !== this.attemptId && this.worker.database.hasDirectPool;
    if (row?.status === 'cancelled' || isForeign) this.cancel();
  }

  private async execute(): Promise<void> {
    const { record, job } = this;
    const { behaviour } = record;
    await record.updateStatus('running', 'Starting browser agent');
    await record.progress('initializing');
    await record.event('job_started', {
      worker_id: this.worker.workerId,
      job_type: job.job_type,
      target_url: job.target_url,
      quality_preset: 'balanced',
      task_budget: 0.5,
      action_limit: 50,
    });
    record.callback('running');
    record.note('started');
    if (behaviour.failure?.at === 'validation' && record.attemptNumber <= behaviour.failure.times) {
      this.ending = 'failed: validation_error';
      return finishInvalid(record);
    }
    const browser = await this.openBrowser();
    await this.checkFirstPage(browser);
    await record.progress('navigating');
    await record.event('trace_recording_started');
    await record.updateStatus('running', `Executing ${job.job_type} handler (Magnitude mode)`);
    const result = await this.runHandler(browser);
    if (result.awaitsReview) {
      record.note('review');
      await finishInReview(record, result);
      // Nobody ends it but who ends the process; heartbeats go on (ghosthands §5.5).
      await this.worker.life.forever();
    }
    await finishCompleted(record, result);
    this.ending = 'completed';
  }

  private async openBrowser(): Promise<SimulatedBrowser> {
    const { life, times } = this.worker;
    const { behaviour } = this.record;
    // No timeout bounds this phase (ghosthands §5.2).
    if (behaviour.hang === 'start') await life.forever();
    await life.sleep(this.record.startMs ?? times.browserStartMs);
    failIf(this.record, 'start');
    await crashProcessIf(this.record, 'before-form');
    const browser = new SimulatedBrowser(life);
    this.activeBrowser = browser;
    this.browser = browser;
    return browser;
  }

  /** The check is given up after 20 s and the row set to `running`, while the browser stays paused and the wait goes on (ghosthands §6.1). */
  private async checkFirstPage(browser: SimulatedBrowser): Promise<void> {
    const { human } = this.record.behaviour;
    if (human?.at !== 'initial') return;
    const { life, times } = this.worker;
    const blocker = { type: human.type, confidence: 0.9, details: `First page shows a ${human.type} challenge`, source: 'dom' as const };
    await this.record.event('blocker_detected', { blocker_type: blocker.type, confidence: blocker.confidence, source: blocker.source });
    await Promise.race([askHuman(this.record, browser, blocker), life.sleep(times.blockerCheckMs)]);
  }

  private async runHandler(first: SimulatedBrowser): Promise<HandlerResult> {
    const state: ApplicationState = { hasAskedHuman: false, hasCrashedBrowser: false };
    let browser = first;
    for (let recoveries = 0; ; recoveries++) {
      try {
        return await this.boundedByTimeout(applyToPosting(this.record, browser, state));
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        const isCrash = classifyError(message) === 'browser_crashed' || !browser.isAlive;
        if (!isCrash || recoveries >= crashRecoveriesMax) throw error;
        browser = await this.recoverBrowser(recoveries + 1, message);
      }
    }
  }

  private async recoverBrowser(attempt: number, message: string): Promise<SimulatedBrowser> {
    const { record, worker } = this;
    record.note('restarted');
    await record.event('browser_crash_detected', { attempt, error_message: message });
    await worker.life.sleep(record.startMs ?? worker.times.browserStartMs);
    this.browser = new SimulatedBrowser(worker.life);
    await record.event('browser_crash_recovered', { attempt });
    await record.updateStatus('running', 'Recovered from crash, retrying handler');
    return this.browser;
  }

  /** Bounds the handler only, pauses included (ghosthands §5.2); what it leaves behind goes on until its browser is closed. */
  private async boundedByTimeout(handler: Promise<HandlerResult>): Promise<HandlerResult> {
    const { life, timeScale } = this.worker;
    const timeoutMs = this.record.behaviour.handlerTimeoutMs ?? this.job.timeout_seconds * 1_000 * timeScale;
    let stopTimer = (): void => {};
    const timeout = new Promise<never>((_resolve, reject) => {
      stopTimer = life.after(timeoutMs, () => reject(new Error('Job execution timeout')));
    });
    // The loser of the race must not become an unhandled rejection.
    handler.catch(() => {});
    try {
      return await Promise.race([handler, timeout]);
    } finally {
      stopTimer();
    }
  }

  private async handleError(message: string): Promise<void> {
    const { record } = this;
    if (this.isCancelled) {
      // The branch that GH means to take on every cancel: the status is `failed`, without code and time (ghosthands §7.1).
      this.ending = 'cancelled';
      await record.progress('failed');
      return record.callback('failed', { cost: record.callbackCost });
    }
    const code = classifyError(message);
    const blockerType = blockerTypeOf(code);
    if (blockerType && record.behaviour.requeuesLogin && this.worker.variant === 'staging') {
      this.ending = 'requeued';
      return requeueForLogin(record);
    }
    if (blockerType && this.browser) {
      await record.event('observation_started', { url: this.job.target_url });
      await record.event('observation_completed', { result: 'clear', url: this.job.target_url });
      const isResumed = await askHuman(record, this.browser, { type: blockerType, confidence: 0.9, details: message, source: 'dom' });
      // The executor returns here without an end: row `running`, heartbeat frozen, worker idle (ghosthands §6.3).
      if (isResumed) return;
    }
    this.ending = `failed: ${code}`;
    await finishFailed(record, code, message);
  }
}
