/**
 * One read for all who ask: who comes while it is under way, or in the time after it for which it is kept, gets the same answer, a failure as well. So a
 * crowd of monitors costs what one does. Whoever has waited for `timeoutMs` goes, and the read stays: where nothing answers, a new one for each of them would
 * soon hold every connection of those who work.
 */
export const shareRead = <Found>(
  read: () => Promise<Found>,
  { keptMs, timeoutMs }: { keptMs: number; timeoutMs: number },
): (() => Promise<Found>) => {
  let last: { found: Promise<Found>; keptUntil: number } | null = null;
  return async () => {
    if (last === null || performance.now() >= last.keptUntil) {
      const mine = { found: read(), keptUntil: Infinity };
      const keep = (): void => void (mine.keptUntil = performance.now() + keptMs);
      mine.found.then(keep, keep);
      last = mine;
    }
    return await inTime(last.found, timeoutMs);
  };
};

/** What accepts connections and then says nothing is away, too. */
export const inTime = async <Result>(work: Promise<Result>, timeoutMs: number): Promise<Result> => {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([work, tooLate]);
  } finally {
    clearTimeout(timer);
  }
};
