/**
 * GH's own times (ghosthands §2, ghosthands §6, ghosthands §8), in milliseconds. A worker gets them multiplied by its `timeScale`, so that tests need not wait;
 * times that a target URL names (`?ms=200`) are real milliseconds and never scaled.
 */
const realTimes = {
  pollMs: 5_000,
  jobHeartbeatMs: 10_000,
  registryHeartbeatMs: 30_000,
  /** Registration is tried three times, then the process exits with 1. */
  registrationBackoffMs: [2_000, 4_000],
  staleWorkerMs: 5 * 60_000,
  staleSameIpMs: 2 * 60_000,
  stuckJobMs: 120_000,
  drainWaitMs: 30_000,
  drainCheckMs: 500,
  /** From an uncaught exception to the exit: the action goes on in between (ghosthands §7.2). */
  exitDelayMs: 1_000,
  humanWaitMs: 300_000,
  humanPollMs: 3_000,
  /** A check for blockers is given up after this; the pause that it began is not (ghosthands §6.1). */
  blockerCheckMs: 20_000,
  callbackRetryMs: [1_000, 3_000, 10_000],
  callbackTimeoutMs: 10_000,
  progressThrottleMs: 2_000,
  /** Not GH's: how long a browser takes, and Docker until it starts a container that ended. */
  browserStartMs: 300,
  browserCloseMs: 300,
  applicationMs: 1_500,
  containerRestartMs: 1_000,
  /** From the start of a process to its registration: 9 s and more at GH (ghosthands §2.1). None unless a test or the demo wants to wait for it. */
  processStartMs: 0,
};

export type SimulatedTimes = typeof realTimes;

export function scaledTimes(timeScale: number): SimulatedTimes {
  const scaled = (ms: number): number => (ms === 0 ? 0 : Math.max(1, Math.round(ms * timeScale)));
  const entries = Object.entries(realTimes).map(([name, value]) => [name, Array.isArray(value) ? value.map(scaled) : scaled(value)]);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The names and kinds are those of realTimes.
  const times = Object.fromEntries(entries) as SimulatedTimes;
  // A receiver on a busy machine needs real time to answer, so this one is not cut to nothing.
  return { ...times, callbackTimeoutMs: Math.max(2_000, scaled(realTimes.callbackTimeoutMs)) };
}
