/** What a worker's status port said at one moment of stopping its process. */
export type PortSeen =
  | { kind: 'answers'; workerId: string; activeJobs: number; processStartedAtMs: number; atMs: number }
  | { kind: 'refused' }
  | { kind: 'silent' };

/**
 * Is the process that ran an attempt proven gone, or proven done with it (`idle`)? The listener's absence proves nothing, since the action goes on for the
 * second after it (ghosthands §16.3): a refused port does, or another start time, or no active job twice, a second apart.
 */
export const provesExit = (
  before: PortSeen,
  looks: readonly PortSeen[],
  { workerId, claimedAtMs, jitterMs }: { workerId: string; claimedAtMs: number | null; jitterMs: number },
): 'gone' | 'idle' | null => {
  const last = looks.at(-1);
  if (last === undefined || last.kind === 'silent') return null;
  if (last.kind === 'refused') return 'gone';
  // An address that answers for somebody else says nothing about our worker.
  if (last.workerId !== workerId) return null;
  const earlierStarts = [before.kind === 'answers' && before.workerId === workerId ? before.processStartedAtMs : null, claimedAtMs];
  if (earlierStarts.some((startedMs) => startedMs !== null && last.processStartedAtMs > startedMs + jitterMs)) return 'gone';
  // The unbroken run of idle looks at the end: whatever came between, a job or another worker at the address, begins it anew.
  const isIdle = (look: PortSeen): boolean => look.kind === 'answers' && look.activeJobs === 0 && look.workerId === workerId;
  const first = looks[looks.findLastIndex((look) => !isIdle(look)) + 1];
  return first?.kind === 'answers' && last.atMs - first.atMs >= 1_000 ? 'idle' : null;
};
