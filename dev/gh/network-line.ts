/** The way from a worker to one of its neighbours. While it is cut, what is sent waits, and arrives when it heals. */
export class NetworkLine {
  private waiting: (() => void)[] | null = null;

  get isCut(): boolean {
    return this.waiting !== null;
  }

  async pass(): Promise<void> {
    const { waiting } = this;
    if (waiting) await new Promise<void>((resolve) => waiting.push(resolve));
  }

  cut(): void {
    this.waiting ??= [];
  }

  heal(): void {
    const waiting = this.waiting ?? [];
    this.waiting = null;
    for (const go of waiting) go();
  }
}
