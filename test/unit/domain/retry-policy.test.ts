import { constantFrom, integer, property } from 'fast-check';
import { limits } from '../../../src/contracts/limits';
import { retryAfterMs } from '../../../src/domain/retry-policy';
import { errorCodes, findCounterexample } from './facts';

const first = { tries: 1, attemptsMax: 3 };

describe('another attempt', () => {
  test.each([
    'validation_error',
    'budget_exceeded',
    'action_limit_exceeded',
    'login_required',
    '2fa_required',
    'hitl_timeout',
    'hitl_max_attempts',
  ])('is never made after %s: trying again changes nothing', (errorCode) => {
    expect(retryAfterMs({ errorCode, ...first }, limits)).toBeNull();
  });

  test.each([
    'captcha_blocked',
    'timeout',
    'rate_limited',
    'network_error',
    'browser_crashed',
    'internal_error',
    'worker_lost',
    'new_code',
    null,
  ])('is made after %s', (errorCode) => {
    expect(retryAfterMs({ errorCode, ...first }, limits)).toBe(limits.retryBackoffFirstMs);
  });

  // A code is a text of GH's; it must not find what every object has.
  test.each(['constructor', 'toString', '__proto__', 'hasOwnProperty'])('is made after a code named %s', (errorCode) => {
    expect(retryAfterMs({ errorCode, ...first }, limits)).toBe(limits.retryBackoffFirstMs);
  });

  test.each([
    [0, 5_000],
    [1, 5_000],
    [2, 10_000],
    [3, 20_000],
    [4, 40_000],
    [5, 60_000],
    [9, 60_000],
  ])('after %i tries waits %i ms', (tries, afterMs) => {
    expect(retryAfterMs({ errorCode: 'timeout', tries, attemptsMax: 10 }, limits)).toBe(afterMs);
  });

  test('is made at most as often as the job allows, and never at once', () => {
    const rule = property(
      constantFrom(null, ...errorCodes),
      integer({ min: 0, max: 2_000 }),
      integer({ min: 1, max: 10 }),
      (errorCode, tries, attemptsMax) => {
        const afterMs = retryAfterMs({ errorCode, tries, attemptsMax }, limits);
        if (afterMs === null) return true;
        return tries < attemptsMax && afterMs >= limits.retryBackoffFirstMs && afterMs <= limits.retryBackoffMaxMs;
      },
    );
    expect(findCounterexample(rule, { numRuns: 1_000 })).toBeNull();
  });
});
