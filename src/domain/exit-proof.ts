/** What a worker's status port said at one moment of stopping its process. */
export type PortSnapshot =
  | { kind: 'answers'; workerId: string; activeJobs: number; processStartedAtMs: number; atMs: number }
  | { kind: 'refused' }
  | { kind: 'silent' };

/**
 * Is the process that ran an attempt proven gone, or proven done with it (`idle`)? The listener's absence proves nothing, since the action goes on for the
 * second after it (ghosthands §7.3): a refused port does, or another start time, or no active job twice, a second apart.
 */
export const provesExit = (
  before: PortSnapshot,
  probes: readonly PortSnapshot[],
  {
    workerId,
    claimedAtMs,
    isAddressCurrent = true,
    jitterMs,
  }: {
    workerId: string;
    claimedAtMs: number | null;
    /** The registry or the product names it now; otherwise only our own row remembers it. */
    isAddressCurrent?: boolean;
    jitterMs: number;
  },
): 'gone' | 'idle' | null => {
  const last = probes.at(-1);
  if (last === undefined || last.kind === 'silent') return null;
  // Where only the database knows the worker, a refusal speaks for it only at an address that answered for it a moment ago.
  const wasThere = before.kind === 'answers' && before.workerId === workerId;
  if (last.kind === 'refused') return isAddressCurrent || wasThere ? 'gone' : null;
  // Somebody else who started after our worker answered there has its port: GH without a configured id comes back under a new one (ghosthands §2.3). Any other
  // stranger at the address says nothing about our worker.
  if (last.workerId !== workerId) return wasThere && last.processStartedAtMs > before.atMs ? 'gone' : null;
  // Another start than before, or one after the claim: an earlier try, or somebody else, has ended the process already.
  const starts = [wasThere ? before.processStartedAtMs : null, claimedAtMs].filter((start) => start !== null);
  if (starts.some((start) => last.processStartedAtMs > start + jitterMs)) return 'gone';
  // The unbroken run of idle probes at the end: whatever came between, a job or another worker at the address, begins it anew.
  const isIdle = (probe: PortSnapshot): boolean => probe.kind === 'answers' && probe.activeJobs === 0 && probe.workerId === workerId;
  const first = probes[probes.findLastIndex((probe) => !isIdle(probe)) + 1];
  return first?.kind === 'answers' && last.atMs - first.atMs >= 1_000 ? 'idle' : null;
};
