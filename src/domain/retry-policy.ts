import type { Limits } from '../contracts/limits';

/** What another attempt could change after an attempt that did not submit. */
type Remedy = 'retry' | 'never';

/** Error codes of GH (ghosthands §5.4) where trying again changes nothing. Every other code is worth another attempt. */
const remedies: Readonly<Record<string, Remedy>> = {
  validation_error: 'never',
  budget_exceeded: 'never',
  action_limit_exceeded: 'never',
  login_required: 'never',
  '2fa_required': 'never',
  hitl_timeout: 'never',
  hitl_max_attempts: 'never',
};

/** Back-off before the next attempt in milliseconds, or null when there is none. `tries` counts attempts that a worker really had. */
export const retryAfterMs = (
  { errorCode, tries, attemptsMax }: { errorCode: string | null; tries: number; attemptsMax: number },
  limits: Pick<Limits, 'retryBackoffFirstMs' | 'retryBackoffMaxMs'>,
): number | null => {
  if (tries >= attemptsMax) return null;
  if (errorCode !== null && remedies[errorCode] === 'never') return null;
  return Math.min(limits.retryBackoffMaxMs, limits.retryBackoffFirstMs * 2 ** Math.max(0, tries - 1));
};
