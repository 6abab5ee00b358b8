import type { ProcessLife } from './process-life';

/** What GH calls an adapter: a browser that works, can be paused, and throws from its action once it was stopped (ghosthands §5.3). */
export class SimulatedBrowser {
  private stopped = false;
  private wakers: (() => void)[] | null = null;
  private readonly interrupts = new Set<() => void>();

  constructor(private readonly life: ProcessLife) {}

  get isAlive(): boolean {
    return !this.stopped;
  }

  /** Acts on the page for `ms`, not while paused. Throws as a browser does that was closed under the action. */
  async act(ms: number): Promise<void> {
    await this.unpaused();
    if (!this.stopped && ms > 0) await this.interruptible((done) => this.life.after(ms, done));
    await this.unpaused();
    if (this.stopped) throw new Error('Target page, context or browser has been closed');
  }

  pause(): void {
    this.wakers ??= [];
  }

  resume(): void {
    const wakers = this.wakers ?? [];
    this.wakers = null;
    for (const wake of wakers) wake();
  }

  stop(): void {
    this.stopped = true;
    for (const interrupt of this.interrupts) interrupt();
  }

  private async unpaused(): Promise<void> {
    const { wakers } = this;
    if (wakers && !this.stopped) {
      await this.interruptible((done) => {
        wakers.push(done);
        return () => {};
      });
    }
  }

  private interruptible(begin: (done: () => void) => () => void): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.interrupts.delete(done);
        cancel();
        resolve();
      };
      const cancel = begin(done);
      this.interrupts.add(done);
    });
  }
}
