import { Attempt } from './attempt';
import type { ClaimedJob } from './claimed-job';
import { pickUpJob, recoverStuckJobs, releaseClaimedJobs } from './pickup';
import type { WorkerContext } from './worker-context';

export type DispatchMode = 'legacy' | 'queue';

/**
 * GH's legacy dispatch (ghosthands §4.1): LISTEN, a poll every 5 s, and another poll right after each job; one job at a time. In queue mode
 * the table is ignored, since jobs come from pg-boss, which has no place here: a worker in that mode stays idle.
 */
export class Poller {
  mode: DispatchMode;
  private running = false;
  private isPickingUp = false;
  private current: { attempt: Attempt; job: ClaimedJob } | null = null;
  private stopPolling = (): void => {};

  constructor(
    private readonly worker: WorkerContext,
    mode: DispatchMode,
  ) {
    this.mode = mode;
  }

  get isRunning(): boolean {
    return this.running;
  }

  get activeJobs(): number {
    return this.current ? 1 : 0;
  }

  get currentRowId(): string | null {
    return this.current?.job.id ?? null;
  }

  get currentAttempt(): Attempt | null {
    return this.current?.attempt ?? null;
  }

  async start(): Promise<void> {
    const { database, life, times } = this.worker;
    this.running = true;
    database.client.on('notification', () => life.whenAwake(() => void this.tryPickup()));
    await database.query('LISTEN gh_job_created');
    this.stopPolling = life.every(times.pollMs, () => void this.tryPickup());
    if (this.mode === 'legacy') await this.recoverStuck();
    void this.tryPickup();
  }

  /** Waits 30 s, then gives the rows back, whether the executor still works on one or not (ghosthands §2.2). */
  async stop(): Promise<void> {
    const { database, life, times, workerId } = this.worker;
    this.running = false;
    this.stopPolling();
    await this.ignoringErrors(database.query('UNLISTEN gh_job_created'));
    const deadline = Date.now() + times.drainWaitMs;
    while (this.current && Date.now() < deadline) await life.sleep(times.drainCheckMs);
    await this.ignoringErrors(releaseClaimedJobs(database, workerId));
  }

  private async tryPickup(): Promise<void> {
    if (!this.running || this.mode === 'queue' || this.current || this.isPickingUp) return;
    this.isPickingUp = true;
    try {
      const job = await pickUpJob(this.worker.database, this.worker.workerId);
      if (job) void this.execute(job);
    } catch {
      // GH logs it and tries again at the next tick; a lost connection ends the process by itself.
    } finally {
      this.isPickingUp = false;
    }
  }

  private async execute(job: ClaimedJob): Promise<void> {
    const attempt = new Attempt(this.worker, job);
    this.current = { attempt, job };
    await attempt.run();
    this.current = null;
    void this.tryPickup();
  }

  private async recoverStuck(): Promise<void> {
    const { database, workerId, variant, times, callbacks } = this.worker;
    const stuck = await recoverStuckJobs(database, { workerId, variant, stuckAfterMs: times.stuckJobMs });
    for (const job of stuck.filter((row) => row.needsHuman)) {
      callbacks.send(job.callback_url, {
        job_id: job.id,
        valet_task_id: job.valet_task_id,
        status: 'needs_human',
        worker_id: workerId,
        interaction: { type: 'stuck_job_timeout', timeout_seconds: 120, description: 'Job made no progress' } as { type: string },
      });
    }
  }

  private async ignoringErrors(work: Promise<unknown>): Promise<void> {
    try {
      await work;
    } catch {
      // A shutdown goes on whatever the database says (ghosthands §2.2).
    }
  }
}
