/**
 * So many at once, first come, first served. Null: its turn has not come within `waitMs`, so that whoever waits for it is not behind when the rest is.
 */
export const createTurns = ({ atOnce, waitMs }: { atOnce: number; waitMs: number }) => {
  let underWay = 0;
  const waiting = new Set<() => void>();

  const turnComes = async (): Promise<boolean> =>
    await new Promise((resolve) => {
      const go = (): void => {
        waiting.delete(go);
        clearTimeout(timer);
        resolve(true);
      };
      const timer = setTimeout(() => {
        waiting.delete(go);
        resolve(false);
      }, waitMs);
      waiting.add(go);
    });

  return async <Result>(work: () => Promise<Result>): Promise<Result | null> => {
    if (underWay < atOnce) underWay++;
    else if (!(await turnComes())) return null;
    try {
      return await work();
    } finally {
      // The place goes from one to the next: nobody else can take it between them.
      const [next] = waiting;
      if (next === undefined) underWay--;
      else next();
    }
  };
};
