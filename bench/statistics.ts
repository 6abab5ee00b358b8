/** Answers the value that `share` of the samples do not exceed (nearest rank). */
export const quantile = (samples: readonly number[], share: number): number => {
  if (samples.length === 0) throw new Error('no samples, no quantile');
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))] as number;
};

export const median = (samples: readonly number[]): number => quantile(samples, 0.5);

/** Milliseconds since an earlier `performance.now()`. */
export const msSince = (startedAt: number): number => performance.now() - startedAt;

/**
 * Runs the two sides in turns (ABAB…), so that whatever else the machine does meets both alike. The first turns warm both up and are not
 * counted. Ends early at the deadline, with the turns that both sides have had.
 */
export const interleave = async <Ours, Baseline>(
  turns: { rounds: number; warmUp: number; deadlineAt: number },
  ours: () => Promise<Ours>,
  baseline: () => Promise<Baseline>,
): Promise<{ ours: Ours[]; baseline: Baseline[] }> => {
  const samples = { ours: [] as Ours[], baseline: [] as Baseline[] };
  for (let turn = -turns.warmUp; turn < turns.rounds; turn++) {
    if (performance.now() > turns.deadlineAt && samples.ours.length > 0) break;
    const mine = await ours();
    const theirs = await baseline();
    if (turn < 0) continue;
    samples.ours.push(mine);
    samples.baseline.push(theirs);
  }
  return samples;
};
