/**
 * The life of one simulated process. Everything that a worker awaits goes through it, so that a killed process stops exactly where it is:
 * nothing after the await runs, no catch and no finally, as with SIGKILL. A frozen one (a blocked event loop) stops in the same way, but goes
 * on where it was when thawed.
 */
export class ProcessLife {
  private over = false;
  private frozen = false;
  private readonly held: (() => void)[] = [];
  private readonly timers = new Set<NodeJS.Timeout>();
  private readonly endings: (() => void)[] = [];
  private readonly ended = new AbortController();

  get isOver(): boolean {
    return this.over;
  }

  get isFrozen(): boolean {
    return this.frozen;
  }

  /** Aborted when the process ends, for fetch. */
  get signal(): AbortSignal {
    return this.ended.signal;
  }

  /** Settles as `work` does, but never after the end, and not while frozen. */
  run<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      work.then(
        (value) => this.whenAwake(() => resolve(value)),
        (error: unknown) => this.whenAwake(() => reject(error)),
      );
    });
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.after(ms, resolve);
    });
  }

  /** A promise that never settles, for what blocks for ever. */
  forever(): Promise<never> {
    return new Promise(() => {});
  }

  /** Calls `task` once after `ms`; the answer cancels it. */
  after(ms: number, task: () => void): () => void {
    if (this.over) return () => {};
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      this.whenAwake(task);
    }, ms);
    this.timers.add(timer);
    return () => this.clear(timer);
  }

  /** Calls `task` every `ms`; beats that fall into a freeze are lost. The answer stops it. */
  every(ms: number, task: () => void): () => void {
    if (this.over) return () => {};
    const timer = setInterval(() => {
      if (!this.frozen) task();
    }, ms);
    this.timers.add(timer);
    return () => this.clear(timer);
  }

  /** Runs `task` now, or when thawed; never after the end. */
  whenAwake(task: () => void): void {
    if (this.over) return;
    if (this.frozen) this.held.push(task);
    else task();
  }

  onEnd(ending: () => void): void {
    this.endings.push(ending);
  }

  freeze(): void {
    this.frozen = true;
  }

  thaw(): void {
    this.frozen = false;
    for (const task of this.held.splice(0)) this.whenAwake(task);
  }

  end(): void {
    if (this.over) return;
    this.over = true;
    for (const timer of this.timers) clearInterval(timer);
    this.timers.clear();
    this.held.length = 0;
    this.ended.abort();
    for (const ending of this.endings) ending();
  }

  private clear(timer: NodeJS.Timeout): void {
    clearInterval(timer);
    this.timers.delete(timer);
  }
}
