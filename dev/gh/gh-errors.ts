/** GH finds the code of an error by the first match on its message (ghosthands §5.4). */
const classifications: [RegExp, string][] = [
  [/budget.?exceeded/i, 'budget_exceeded'],
  [/action.?limit.?exceeded/i, 'action_limit_exceeded'],
  [/captcha/i, 'captcha_blocked'],
  [/2fa|two.?factor|verification code|authenticator/i, '2fa_required'],
  [/login|sign.?in/i, 'login_required'],
  [/timeout/i, 'timeout'],
  [/rate.?limit/i, 'rate_limited'],
  [/not.?found|selector/i, 'element_not_found'],
  [/disconnect|connection|ECONNREFUSED|ECONNRESET/i, 'network_error'],
  [/browser.*closed|target.*closed/i, 'browser_crashed'],
];

/** Messages that GH classifies as the wanted code. */
const messages: Record<string, string> = {
  budget_exceeded: 'Budget exceeded: task budget is spent',
  action_limit_exceeded: 'Action limit exceeded: 50 of 50',
  captcha_blocked: 'Page shows a captcha',
  '2fa_required': 'Page asks for a verification code',
  login_required: 'Page asks to sign in first',
  timeout: 'Timeout while waiting for the page',
  rate_limited: 'Site answers: rate limit reached',
  element_not_found: 'No element matches the selector of the submit button',
  network_error: 'net::ERR_CONNECTION_RESET while loading the page',
  browser_crashed: 'Target page, context or browser has been closed',
  internal_error: 'Something unexpected happened',
};

const retryable = new Set([
  'captcha_blocked',
  'element_not_found',
  'timeout',
  'rate_limited',
  'network_error',
  'browser_crashed',
  'internal_error',
]);

/** Codes for which GH asks a human before it fails. */
const humanEligible: Record<string, string> = { captcha_blocked: 'captcha', '2fa_required': '2fa', login_required: 'login' };

export const classifyError = (message: string): string =>
  classifications.find(([pattern]) => pattern.test(message))?.[1] ?? 'internal_error';

export const messageFor = (code: string): string => messages[code] ?? `${messages.internal_error} (${code})`;

export const isRetryable = (code: string): boolean => retryable.has(code);

/** The blocker type of an error that GH hands to a human, else null. */
export const blockerTypeOf = (code: string): string | null => humanEligible[code] ?? null;
