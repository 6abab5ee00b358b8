import { redacted } from './sensitive';

const hiddenEmail = '[e-mail]';

/** Words that end the name of a secret: `GH_SERVICE_SECRET`, `access_token`, `X-API-Key`. `total_tokens` and `idempotency_key` are none. */
export const secretName =
  '(?:secret|token|password|passwd|pwd|passphrase|signature|credentials?|authorization|cookie|(?:api|service|access|private|deploy|signing|encryption|secret)[-_]?key)';

/** Whole names of parameters that hold one: GH's browser proxy takes `?key=`, OAuth `?code=` (valet §1.2). */
export const secretParameterNames = ['key', 'sig', 'auth', 'pwd', 'pass', 'jwt', 'code', 'otp', 'session', 'sessionid', 'sid', 'ticket'];

/** A parameter of a URL whose value is a secret, for JavaScript's expressions and Postgres': VALET's webhook takes `?token=` (valet §1.4). */
export const secretParameter = `[?&;#](?:[\\w.%-]{0,60}${secretName}|${secretParameterNames.join('|')})=`;

/** Every repetition is bounded, so that no input makes the search slower than its length. A text without the third word has nothing of the kind. */
const patterns: readonly (readonly [RegExp, string, string?])[] = [
  // A block whose end was cut off is hidden to the end of the text.
  [/-----BEGIN ([A-Z0-9 ]{0,30}PRIVATE KEY)-----[\s\S]*?(?:-----END \1-----|$)/g, redacted, '-----BEGIN '],
  // The whole user-info: a token is often given as the user name.
  [/(?<=:\/\/)[^\s/?#"'<>]{1,1024}@/g, `${redacted}@`, '@'],
  [new RegExp(`(${secretParameter})[^&;#\\s"'<>]+`, 'gi'), `$1${redacted}`],
  [/\b((?:Bearer|Basic)\s+)[\w.~+/=-]{8,4096}/gi, `$1${redacted}`],
  [
    new RegExp(
      `(["']?\\b[\\w.-]{0,60}${secretName}["']?\\s{0,4}[:=]\\s{0,4})("(?:[^"\\\\]|\\\\.)*"?|'(?:[^'\\\\]|\\\\.)*'?|(?!\\[redacted\\]|Bearer |Basic )[^\\s,;&"'}]+)`,
      'gi',
    ),
    `$1${redacted}`,
  ],
  [/\beyJ[\w-]{8,4096}\.[\w-]{8,8192}(?:\.[\w-]{0,1024})?/g, redacted, 'eyJ'],
  [
    /\b(?:gh[pousr]_\w{20,255}|github_pat_\w{20,255}|glpat-[\w-]{16,255}|dckr_pat_[\w-]{16,255}|xox[abprs]-[\w-]{10,255}|AKIA[0-9A-Z]{16}|sk-[\w-]{20,255})/g,
    redacted,
  ],
  // Personal data is no part of a log either (promise 8), and an e-mail address is the only kind of it that a pattern recognises for sure.
  [/[\p{L}\p{N}._%+'-]{1,64}@[\p{L}\p{N}-]{1,63}(?:\.[\p{L}\p{N}-]{1,63}){0,8}\.\p{L}{2,24}/gu, hiddenEmail, '@'],
];

/** The text without what looks like a secret or like personal data. Needs to know none of them, and weighs little: workflows carry it. */
export const hideSecretPatterns = (text: string): string =>
  patterns.reduce(
    (partly, [pattern, replacement, sign = '']) => (partly.includes(sign) ? partly.replace(pattern, replacement) : partly),
    text,
  );
