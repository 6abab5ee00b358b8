/**
 * What the status port of a worker said. `refused`: the machine answers and nothing listens there; `silent`: no usable answer, which proves nothing.
 *
 * All moments of one question are of one clock, whichever; each is at its most careful bound, since the answer was given somewhere between question and arrival.
 */
export type PortAnswer = {
  /** When it was got. */
  atMs: number;
} & (
  | {
      kind: 'answers';
      workerId: string;
      activeJobs: number;
      /** Its process started at the earliest, and at the latest, then. */
      startedAfterMs: number;
      startedBeforeMs: number;
    }
  | { kind: 'refused' }
  | { kind: 'silent' }
);

/** The cancel-listener backend of an attempt; `unreadable` where we may not see other backends (ghosthands §7.2). */
export type ListenerSight = 'present' | 'absent' | 'unreadable';

/** What is known of the process that has, or had, an attempt. */
export interface ProcessEvidence {
  workerId: string;
  /** It ran then: one that started later is another one. Null: nobody knows when it did. */
  ranAtMs: number | null;
  /**
   * A fresh process claims before its port is bound (ghosthands §2.1): until then neither a refusal nor another worker's answer says anything of it. Null: it
   * has had its port for long.
   */
  boundByMs: number | null;
  /** What the port said before somebody began to stop it; null where nobody did, or asked. */
  before: PortAnswer | null;
  /** What it said since, the last one at the end. */
  answers: readonly PortAnswer[];
  /** `unreadable` as well where we have ended it: its absence then says nothing, since the process goes on for a second after it (ghosthands §7.3). */
  listener: ListenerSight;
  /** The registry or the product names the address now; otherwise only our own row remembers it. */
  isAddressCurrent: boolean;
}

/** `idle`: it lives and works on nothing, seen twice, a second apart. */
export type Liveness =
  | { is: 'alive'; because: 'it listens' | 'it answers' }
  | { is: 'idle'; because: 'it works on nothing' }
  | { is: 'gone'; because: 'it started again' | 'its port refuses' | 'another worker answers' }
  | { is: 'unknown'; because: 'its port is silent' | 'it may not have its port yet' | 'it may be elsewhere' };

/** Who answers at the address of an attempt's process: the same process, the next one of that worker, … Null: nobody can tell. `jitterMs`: clocks differ. */
export const whoAnswers = (
  port: PortAnswer | null,
  { workerId, ranAtMs, jitterMs }: Pick<ProcessEvidence, 'workerId' | 'ranAtMs'> & { jitterMs: number },
): 'itself' | 'its next start' | 'another worker' | 'nobody' | null => {
  if (port === null || port.kind === 'silent') return null;
  if (port.kind === 'refused') return 'nobody';
  if (port.workerId !== workerId) return 'another worker';
  return ranAtMs !== null && port.startedAfterMs > ranAtMs + jitterMs ? 'its next start' : 'itself';
};

/**
 * Is the process that has an attempt still there? Every rule that ends, repeats or frees something asks this one. A stale heartbeat is not death, and a
 * missing listener alone is none either: it vanishes a second before its process does, and workers without a direct URL never have one (ghosthands §7.3).
 */
export const judgeProcess = (seen: ProcessEvidence, { jitterMs }: { jitterMs: number }): Liveness => {
  const { workerId, ranAtMs, boundByMs, answers, listener, isAddressCurrent } = seen;
  if (listener === 'present') return { is: 'alive', because: 'it listens' };
  const last = answers.at(-1);
  if (last === undefined || last.kind === 'silent') return { is: 'unknown', because: 'its port is silent' };
  const before = seen.before?.kind === 'answers' && seen.before.workerId === workerId ? seen.before : null;
  const who = whoAnswers(last, { workerId, ranAtMs, jitterMs });
  if (who === 'its next start') return { is: 'gone', because: 'it started again' };
  if (last.kind === 'answers' && who === 'itself') {
    if (before !== null && last.startedAfterMs > before.startedBeforeMs + jitterMs) return { is: 'gone', because: 'it started again' };
    return isIdle(workerId, answers) ? { is: 'idle', because: 'it works on nothing' } : { is: 'alive', because: 'it answers' };
  }
  const because = who === 'nobody' ? ('its port refuses' as const) : ('another worker answers' as const);
  // It had its port, and has it no more. Whoever answers must have come after it: GH without a configured id comes back under a new one (ghosthands §2.3).
  if (before !== null && (last.kind === 'refused' || last.startedAfterMs > before.atMs)) return { is: 'gone', because };
  if (boundByMs !== null && last.atMs <= boundByMs) return { is: 'unknown', because: 'it may not have its port yet' };
  // A refusal speaks for it at an address that is known to be its own, or where nobody listens for its cancel either.
  return listener === 'absent' || (who === 'nobody' && isAddressCurrent)
    ? { is: 'gone', because }
    : { is: 'unknown', because: 'it may be elsewhere' };
};

/** The unbroken run of idle answers at the end: whatever came between, a job or another worker at the address, begins it anew. */
const isIdle = (workerId: string, answers: readonly PortAnswer[]): boolean => {
  const first =
    answers[answers.findLastIndex((port) => !(port.kind === 'answers' && port.activeJobs === 0 && port.workerId === workerId)) + 1];
  return first !== undefined && (answers.at(-1)?.atMs ?? 0) - first.atMs >= 1_000;
};
