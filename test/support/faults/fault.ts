import type { SimulatedHost } from '../../../dev/gh/simulated-host';
import type { FaultFixture } from './fault-fixture';

export interface FaultResult {
  jobIds: string[];
  /** From the fault to the state that was promised after it; null where nothing had to recover. */
  recoveryMs: number | null;
  /** Examined too late, so that nothing proves how its process spent its last minute: the job rests for a person instead of running elsewhere. */
  isLeftToPerson?: boolean;
  /** What was promised for this fault beyond promises 1 to 8, and is not so. */
  broken: string[];
}

export interface FaultContext {
  fixture: FaultFixture;
  hosts: SimulatedHost[];
  /** Counted from 0. */
  round: number;
  /** Ends when every fault of the round is ready to begin: from then on, no job is aimed at a host that is about to fail. */
  staged: () => Promise<void>;
}

/** What goes wrong, and what has to be true afterwards. It leaves its hosts as healthy as it found them. */
export interface Fault {
  name: string;
  hosts: number;
  inject(context: FaultContext): Promise<FaultResult>;
}

export const expectThat = (facts: Record<string, boolean>): string[] =>
  Object.entries(facts).flatMap(([fact, isTrue]) => (isTrue ? [] : [`not so: ${fact}`]));
