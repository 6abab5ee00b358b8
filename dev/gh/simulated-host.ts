import type { Pool } from 'pg';
import { createApiApp, type ApiIllness } from './api-server';
import type { HostConfig } from './config';
import type { Lives } from './lives';
import { SimulatedServer } from './simulated-server';
import { SimulatedWorker, type WorkerSurroundings } from './simulated-worker';

/**
 * One machine of the fleet: GH's API, its worker, and a container supervisor that starts the worker again whenever it exits by itself, as
 * Docker's `unless-stopped` does. What an operator stopped stays down.
 */
export class SimulatedHost {
  private worker: SimulatedWorker | null = null;
  private readonly twins = new Set<SimulatedWorker>();
  private api: SimulatedServer | null = null;
  private apiPort: number;
  private illness: ApiIllness | null = null;
  private mode: HostConfig['dispatchMode'];
  private clockSkewMs = 0;
  /** Under which its container starts; another one after it was replaced. */
  private identity: Pick<HostConfig, 'workerId' | 'instanceId'>;
  private wantsWorker = false;
  private restartTimer: NodeJS.Timeout | null = null;
  private restarts = 0;
  private lastExit: { at: string; code: number; reason: string } | null = null;

  constructor(
    readonly config: HostConfig,
    private readonly surroundings: Omit<WorkerSurroundings, 'onExit' | 'clockSkewMs'>,
    private readonly apiPool: Pool,
    private readonly containerRestartMs: number,
    private readonly lives: Lives,
  ) {
    this.mode = config.dispatchMode;
    this.identity = { workerId: config.workerId, instanceId: config.instanceId };
    this.apiPort = config.apiPort;
  }

  get ip(): string {
    return this.config.ip;
  }

  get workerId(): string {
    return this.identity.workerId;
  }

  get ports(): { api: number; status: number } {
    return { api: this.apiPort, status: this.worker?.port ?? this.config.statusPort };
  }

  get isReady(): boolean {
    return this.worker?.isReady ?? false;
  }

  async start(): Promise<void> {
    await this.startApi();
    await this.startWorker();
  }

  async startApi(): Promise<void> {
    if (this.api) return;
    const { config, surroundings, apiPool } = this;
    const app = createApiApp({
      host: config,
      pool: apiPool,
      serviceSecret: surroundings.serviceSecret,
      startedAt: Date.now(),
      findIllness: () => this.illness,
    });
    this.api = new SimulatedServer(app);
    this.apiPort = await this.api.listen({ host: config.listenIp, port: this.apiPort });
  }

  /** Ends when the worker's port answers, or its process has ended. */
  async startWorker(): Promise<void> {
    if (this.worker) return;
    this.wantsWorker = true;
    this.worker = this.createWorker({ ...this.config, ...this.identity });
    await Promise.race([this.worker.start(), new Promise<void>((resolve) => this.worker?.life.onEnd(resolve))]);
  }

  /** SIGKILL. `restart`: the container comes back; `api`: the whole machine goes, its API too. */
  kill(options: { restart?: boolean; api?: boolean } = {}): void {
    this.wantsWorker = options.restart ?? false;
    this.cancelRestart();
    if (options.api) this.stopApi();
    if (this.worker) this.worker.kill();
    else if (this.wantsWorker) this.scheduleRestart();
  }

  /** `docker stop`: SIGTERM, then SIGKILL after the grace if one is given. It stays down. Ends when the process has. */
  async terminate(options: { graceMs?: number } = {}): Promise<void> {
    this.wantsWorker = false;
    this.cancelRestart();
    const { worker } = this;
    if (!worker) return;
    const exited = new Promise<void>((resolve) => worker.life.onEnd(resolve));
    if (options.graceMs !== undefined) worker.life.after(options.graceMs, () => worker.kill('SIGKILL after the grace'));
    void worker.terminate();
    await exited;
  }

  /** The recycle command: `docker restart`. Ends when the new process is there. */
  async restart(options: { graceMs?: number } = {}): Promise<void> {
    this.cancelRestart();
    const { worker } = this;
    if (worker) {
      const exited = new Promise<void>((resolve) => worker.life.onEnd(resolve));
      this.wantsWorker = false;
      if ((options.graceMs ?? 0) === 0) worker.kill('recycled');
      else {
        worker.life.after(options.graceMs ?? 0, () => worker.kill('recycled'));
        void worker.terminate();
      }
      await exited;
    }
    await this.startWorker();
  }

  /** A deploy that gives the container another id: the old process is gone, a new worker has its address and its ports. */
  async replace(identity: { workerId: string; instanceId?: string }): Promise<void> {
    this.kill();
    this.identity = { workerId: identity.workerId, instanceId: identity.instanceId ?? this.config.instanceId };
    await this.startWorker();
  }

  /** What the machine's clock shows too much, or too little; its processes write their times by it. */
  setClock(skewMs: number): void {
    this.clockSkewMs = skewMs;
  }

  hang(): void {
    this.worker?.hang();
    this.recordAll('silent');
  }

  partition(scope: 'http' | 'database' | 'both' = 'both'): void {
    if (scope !== 'database' && this.api) this.api.isMute = true;
    this.worker?.partition(scope);
    if (scope === 'both') this.recordAll('silent');
  }

  heal(): void {
    if (this.api) this.api.isMute = false;
    this.worker?.heal();
    this.recordAll('heard');
  }

  breakPostgrest(): void {
    this.worker?.breakPostgrest();
  }

  /** A change of GH's environment variable needs a new container; here it holds at once. */
  setMode(mode: HostConfig['dispatchMode']): void {
    this.mode = mode;
    if (this.worker) this.worker.poller.mode = mode;
  }

  /** What a deploy brings; the API reports it at once, as it is asked for it each time. */
  setImage(imageTag: string): void {
    this.config.imageTag = imageTag;
    this.config.commitSha = imageTag;
  }

  /** A second process with the same worker id, as an overlapping deploy makes it (ghosthands §2.6). */
  async twin(where: { ip?: string; listenIp?: string; statusPort?: number } = {}): Promise<SimulatedWorker> {
    const config = { ...this.config, ...this.identity, statusPort: 0, ...where };
    const twin = this.createWorker(config);
    this.twins.add(twin);
    await Promise.race([twin.start(), new Promise<void>((resolve) => twin.life.onEnd(resolve))]);
    return twin;
  }

  endTwins(how: 'kill' | 'term' = 'kill'): void {
    for (const twin of this.twins) {
      if (how === 'kill') twin.kill();
      else void twin.terminate();
    }
  }

  async releaseRows(): Promise<string[]> {
    return (await this.worker?.releaseRows()) ?? [];
  }

  /** Ends everything without a trace in the tables. */
  stop(): void {
    this.kill({ api: true });
    this.endTwins();
  }

  describe() {
    return {
      ip: this.ip,
      workerId: this.workerId,
      instanceId: this.config.instanceId,
      listenIp: this.config.listenIp,
      apiPort: this.apiPort,
      isApiUp: this.api !== null,
      worker: this.worker?.describe() ?? null,
      twins: [...this.twins].map((twin) => twin.describe()),
      restarts: this.restarts,
      lastExit: this.lastExit,
    };
  }

  /** The API answers this on every page; null: it is well again. */
  setApiIllness(illness: ApiIllness | null): void {
    this.illness = illness;
  }

  stopApi(): void {
    this.api?.close();
    this.api = null;
  }

  private createWorker(config: HostConfig): SimulatedWorker {
    const onExit = (worker: SimulatedWorker, code: number, reason: string): void => this.workerExited(worker, code, reason);
    const worker = new SimulatedWorker(config, { ...this.surroundings, onExit, clockSkewMs: () => this.clockSkewMs }, this.mode);
    this.lives.note(worker, 'started');
    return worker;
  }

  private recordAll(event: 'silent' | 'heard'): void {
    if (this.worker) this.lives.note(this.worker, event);
  }

  private workerExited(worker: SimulatedWorker, code: number, reason: string): void {
    this.surroundings.say(`${this.workerId} (${worker.processId}) exited with ${code}: ${reason}`);
    this.lives.note(worker, 'ended');
    if (this.twins.delete(worker)) return;
    this.worker = null;
    this.lastExit = { at: new Date().toISOString(), code, reason };
    if (this.wantsWorker) this.scheduleRestart();
  }

  private scheduleRestart(): void {
    this.restartTimer = setTimeout(() => {
      this.restarts++;
      void this.startWorker();
    }, this.containerRestartMs);
  }

  private cancelRestart(): void {
    if (this.restartTimer) clearTimeout(this.restartTimer);
    this.restartTimer = null;
  }
}
