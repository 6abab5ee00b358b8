import type { BreakDeployLockInput, BreakDeployLockResult } from '../src/contracts/messages';
import { starts } from '../src/domain/workflow-inputs';
import { breakLock } from './deploy-options';
import { mustParse } from './steps/input';

/** A person breaks the lock that somebody left behind; one of a deploy that is under way is refused. */
export async function breakDeployLock(input: BreakDeployLockInput): Promise<BreakDeployLockResult> {
  return await breakLock(mustParse(starts.breakDeployLock, input));
}
