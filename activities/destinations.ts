import type { BreakDeployLockInput, BreakDeployLockResult, DestinationSeen, LookAtDestinationInput } from '../src/contracts/messages';

/** Looks, and the one act on a destination that is no deploy. */
export interface DestinationActivities {
  readDestination(input: LookAtDestinationInput): Promise<DestinationSeen>;
  breakLock(input: BreakDeployLockInput): Promise<BreakDeployLockResult>;
}
