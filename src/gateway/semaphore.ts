/** So many at once, first come, first served. */
export interface Semaphore {
  run<Result>(work: () => Promise<Result>): Promise<Result>;
  /** Null: its turn has not come within `waitMs`, so that whoever waits for it is not behind when the rest is. */
  runWithin<Result>(waitMs: number, work: () => Promise<Result>): Promise<Result | null>;
}

export const createSemaphore = (atOnce: number): Semaphore => {
  let inside = 0;
  const waiting = new Set<() => void>();

  const enter = async (waitMs?: number): Promise<boolean> => {
    if (inside < atOnce) {
      inside++;
      return true;
    }
    return await new Promise((resolve) => {
      const settle = (mayGo: boolean): void => {
        waiting.delete(go);
        clearTimeout(timer);
        resolve(mayGo);
      };
      const go = (): void => settle(true);
      const timer = waitMs === undefined ? undefined : setTimeout(() => settle(false), waitMs);
      waiting.add(go);
    });
  };

  const runInside = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    try {
      return await work();
    } finally {
      const [next] = waiting;
      // Whoever waits takes over the place.
      if (next === undefined) inside--;
      else next();
    }
  };

  return {
    async run(work) {
      await enter();
      return await runInside(work);
    },
    runWithin: async (waitMs, work) => ((await enter(waitMs)) ? await runInside(work) : null),
  };
};
