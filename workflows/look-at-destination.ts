import type { LookAtDestinationInput, LookAtDestinationResult } from '../src/contracts/messages';
import { readDestination } from './deploy-options';

/** Asks the deployer, which alone has Kamal and its keys, what a destination is like now. Touches nothing. */
export async function lookAtDestination(input: LookAtDestinationInput): Promise<LookAtDestinationResult> {
  return await readDestination(input);
}
