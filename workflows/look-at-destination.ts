import type { LookAtDestinationInput, LookAtDestinationResult } from '../src/contracts/messages';
import { starts } from '../src/domain/workflow-inputs';
import { readDestination } from './deploy-options';
import { mustParse } from './steps/input';

/** Asks the deployer, which alone has Kamal and its keys, what a destination is like now. Touches nothing. */
export async function lookAtDestination(input: LookAtDestinationInput): Promise<LookAtDestinationResult> {
  return await readDestination(mustParse(starts.lookAtDestination, input));
}
