import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import type { HostConfig } from './config';
import { CallbackSender, type MaySend } from './callbacks';
import { NetworkLine } from './network-line';
import { releaseClaimedJobs } from './pickup';
import { Poller } from './poller';
import { Postgrest } from './postgrest';
import { ProcessLife } from './process-life';
import { beatRegistry, markDraining, markOffline, reapStaleWorkers, registerWorker, retireSameIp } from './registry';
import { SimulatedServer } from './simulated-server';
import { createStatusApp, type WorkerStatus } from './status-server';
import type { SubmissionsLog } from './submissions-log';
import { scaledTimes } from './timing';
import type { WorkerContext } from './worker-context';
import { WorkerDatabase } from './worker-database';

export interface WorkerSurroundings {
  databaseUrl: string;
  directUrl: string | null;
  serviceSecret: string;
  /** PostgREST's own connections, shared by all workers of a simulator. */
  restPool: Pool;
  log: SubmissionsLog;
  say: (line: string) => void;
  onExit: (worker: SimulatedWorker, code: number, reason: string) => void;
  /** How wrong the clock of its machine is; by default not at all. */
  clockSkewMs?: () => number;
}

/** One process of GH's worker, from its start to its exit (ghosthands §2). It never starts twice: the container's next process is a new one. */
export class SimulatedWorker {
  readonly processId = randomUUID().slice(0, 8);
  readonly startedAt = Date.now();
  readonly life = new ProcessLife();
  readonly poller: Poller;
  private readonly context: WorkerContext;
  private readonly restLine = new NetworkLine();
  private readonly server: SimulatedServer;
  private statusPort: number;
  private hasStarted = false;
  private isDraining = false;
  private isShuttingDown = false;
  private isDying = false;
  private stopRegistryBeat = (): void => {};

  constructor(
    readonly host: HostConfig,
    private readonly surroundings: WorkerSurroundings,
    mode: 'legacy' | 'queue',
  ) {
    const times = { ...scaledTimes(host.timeScale), ...host.times };
    const { life } = this;
    const urls = { databaseUrl: surroundings.databaseUrl, directUrl: host.hasDirectUrl ? surroundings.directUrl : null };
    const database = new WorkerDatabase(urls, life, (whose) => void this.dieOfUncaught(whose));
    const rest = new Postgrest(surroundings.restPool, life, this.restLine, (line) => surroundings.say(`${host.workerId}: ${line}`));
    this.context = {
      workerId: host.workerId,
      processId: this.processId,
      variant: host.variant,
      timeScale: host.timeScale,
      times,
      life,
      database,
      rest,
      callbacks: new CallbackSender(
        life,
        times,
        surroundings.serviceSecret,
        host.variant === 'staging' && host.hasCallbackDedupe ? askDedupe(rest) : null,
      ),
      log: surroundings.log,
      now: () => new Date(Date.now() + (surroundings.clockSkewMs?.() ?? 0)),
      exit: (code, reason) => this.exit(code, reason),
    };
    this.poller = new Poller(this.context, mode);
    this.server = new SimulatedServer(createStatusApp({ read: () => this.describeForStatus(), drain: () => this.drain() }));
    this.statusPort = host.statusPort;
  }

  get isReady(): boolean {
    return this.hasStarted;
  }

  get workerId(): string {
    return this.host.workerId;
  }

  get port(): number {
    return this.statusPort;
  }

  /** Ends in `exit(1)` when it cannot connect or register; the port binds last, so it can be busy before it answers (ghosthands §2.1). */
  async start(): Promise<void> {
    const { context, host, life } = this;
    try {
      if (context.times.processStartMs > 0) await life.sleep(context.times.processStartMs);
      await context.database.connect();
      await this.register();
      await retireSameIp(context.database, this.identity, context.times.staleSameIpMs);
      this.stopRegistryBeat = life.every(context.times.registryHeartbeatMs, () => void this.beat());
      await this.poller.start();
      this.statusPort = await life.run(this.server.listen({ host: host.listenIp, port: host.statusPort }));
      this.hasStarted = true;
    } catch (error) {
      this.exit(1, `start: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  /** SIGKILL: nothing is written, every socket is gone at once. */
  kill(reason = 'SIGKILL'): void {
    this.exit(137, reason);
  }

  /** SIGTERM; a second one releases the rows and exits at once (ghosthands §2.2). */
  async terminate(): Promise<void> {
    const { database, workerId } = this.context;
    if (this.isShuttingDown) {
      await releaseClaimedJobs(database, workerId).catch(() => {});
      return this.exit(1, 'second SIGTERM');
    }
    this.isShuttingDown = true;
    await this.poller.stop();
    this.stopRegistryBeat();
    await markOffline(database, workerId).catch(() => {});
    // Waits for the cancel listener, so for the running job: offline in the registry, and still at work.
    await database.end().catch(() => {});
    this.exit(0, 'SIGTERM');
  }

  /** A blocked event loop: ports accept, nothing answers, nothing is written; sockets stay open. */
  hang(): void {
    this.life.freeze();
    this.server.isMute = true;
  }

  partition(scope: 'http' | 'database' | 'both'): void {
    if (scope !== 'database') this.server.isMute = true;
    if (scope === 'http') return;
    this.context.database.line.cut();
    this.restLine.cut();
  }

  heal(): void {
    this.server.isMute = false;
    this.context.rest.isDown = false;
    this.context.database.line.heal();
    this.restLine.heal();
    this.life.thaw();
  }

  /** PostgREST only: pool, LISTEN, pickup and registry go over their own connections (ghosthands §2.4, ghosthands §5.6). */
  breakPostgrest(): void {
    this.context.rest.isDown = true;
  }

  /** What the shutdown of a twin does to this one's running job (ghosthands §2.6). */
  releaseRows(): Promise<string[]> {
    return releaseClaimedJobs(this.context.database, this.context.workerId);
  }

  describe() {
    return {
      processId: this.processId,
      startedAt: new Date(this.startedAt).toISOString(),
      statusPort: this.statusPort,
      isReady: this.hasStarted,
      activeJobs: this.poller.activeJobs,
      currentRowId: this.poller.currentRowId,
      dispatchMode: this.poller.mode,
      isDraining: this.isDraining || this.isShuttingDown,
      isFrozen: this.life.isFrozen,
      isMute: this.server.isMute,
      isPartitionedFromDatabase: this.context.database.line.isCut,
      isPostgrestDown: this.context.rest.isDown,
    };
  }

  private get identity() {
    const { workerId, instanceId, ip } = this.host;
    return { workerId, instanceId, ip };
  }

  private async register(): Promise<void> {
    const { database, life, times } = this.context;
    for (const backoffMs of [...times.registrationBackoffMs, null]) {
      try {
        return await registerWorker(database, this.identity);
      } catch (error) {
        if (backoffMs === null) throw error;
        await life.sleep(backoffMs);
      }
    }
  }

  private async beat(): Promise<void> {
    const { database, workerId, times } = this.context;
    try {
      await beatRegistry(database, {
        workerId,
        currentJobId: this.poller.currentRowId,
        isDraining: this.isDraining || this.isShuttingDown,
      });
      await reapStaleWorkers(database, workerId, times.staleWorkerMs);
    } catch {
      // Logged and forgotten by GH; the next beat tries again.
    }
  }

  private drain(): void {
    if (this.isDraining) return;
    this.isDraining = true;
    void markDraining(this.context.database, this.context.workerId).catch(() => {});
    void this.poller.stop();
  }

  /** The process lives on for a second: its action goes on, and may end (ghosthands §7.2). */
  private async dieOfUncaught(whose: string): Promise<void> {
    if (this.isDying) return;
    this.isDying = true;
    this.poller.currentAttempt?.recordConnectionLost(whose);
    await this.life.sleep(this.context.times.exitDelayMs);
    this.exit(1, `uncaught exception: ${whose} lost its connection`);
  }

  private exit(code: number, reason: string): void {
    if (this.life.isOver) return;
    this.life.end();
    this.server.close();
    this.poller.currentAttempt?.recordKilled(reason);
    this.surroundings.onExit(this, code, reason);
  }

  private describeForStatus(): WorkerStatus {
    return {
      ...this.identity,
      startedAt: this.startedAt,
      activeJobs: this.poller.activeJobs,
      isRunning: this.poller.isRunning,
      isDraining: this.isDraining || this.isShuttingDown,
      dispatchMode: this.poller.mode,
    };
  }
}

/** Staging writes a row before it sends; an error lets the callback through (ghosthands §9). */
function askDedupe(rest: Postgrest): MaySend {
  return async ({ rowId, eventType, nonce }) => {
    const sql = `
      with claimed as (
        insert into gh_callback_dedupe (job_id, event_type, nonce) values ($1, $2, $3) on conflict do nothing returning 1
      )
      select exists (select from claimed) as is_new`;
    const row = await rest.send<{ is_new: boolean }>('dedupe', sql, [rowId, eventType, nonce]);
    return row?.is_new ?? true;
  };
}
