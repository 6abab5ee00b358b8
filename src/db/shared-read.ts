/**
 * One read for all who ask: who comes while it is under way, or in the time after it for which it is kept, gets the same answer, a failure as well. So a
 * crowd of monitors costs what one does, and none of them takes the connections of those who work.
 */
export const shareRead = <Found>(
  read: () => Promise<Found>,
  { keptMs, timeoutMs }: { keptMs: number; timeoutMs: number },
): (() => Promise<Found>) => {
  let last: { found: Promise<Found>; keptUntil: number } | null = null;
  return async () => {
    if (last !== null && performance.now() < last.keptUntil) return await last.found;
    const mine = { found: inTime(read(), timeoutMs), keptUntil: Infinity };
    last = mine;
    try {
      return await mine.found;
    } finally {
      mine.keptUntil = performance.now() + keptMs;
    }
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
