import { createSecretFinder, type Range } from './secret-finder';
import { redacted, type Sensitive } from './sensitive';

/** Takes the secrets and the personal data that can be recognised out of a text. */
export type Redact = (text: string) => string;

const hiddenEmail = '[e-mail]';

/** Words that end the name of a secret: `GH_SERVICE_SECRET`, `access_token`, `X-API-Key`. `total_tokens` and `idempotency_key` are none. */
const secretName =
  '(?:secret|token|password|passwd|pwd|passphrase|signature|credentials?|authorization|cookie|(?:api|service|access|private|deploy|signing|encryption|secret)[-_]?key)';

/** The name of a parameter of a URL whose value is a secret, for JavaScript's expressions and Postgres': GH's browser proxy takes `?key=`, VALET's webhook `?token=`, OAuth `?code=` (valet §1.2, valet §1.4). */
export const secretParameter = `[?&;#](?:[\\w.%-]{0,60}${secretName}|key|code|sig|auth|jwt|session)=`;

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

/** Hides the given values, in every spelling that they may have in an output, and everything that looks like a secret. */
export const createRedact = (secrets: readonly Sensitive<string>[] = []): Redact => {
  const finder = createSecretFinder(secrets);
  return (text) => hide(text, finder.find(text));
};

/** The text without those ranges, and without everything that looks like a secret. */
export const hide = (text: string, ranges: readonly Range[]): string =>
  patterns.reduce(
    (partly, [pattern, replacement, sign = '']) => (partly.includes(sign) ? partly.replace(pattern, replacement) : partly),
    withoutRanges(text, ranges),
  );

export const withoutRanges = (text: string, ranges: readonly Range[]): string => {
  if (ranges.length === 0) return text;
  let shown = '';
  let end = 0;
  for (const range of ranges.toSorted((a, b) => a.start - b.start || b.end - a.end)) {
    if (range.start >= end) shown += text.slice(end, range.start) + redacted;
    end = Math.max(end, range.end);
  }
  return shown + text.slice(end);
};

const secretFieldPattern = new RegExp(`${secretName}$`, 'i');

/** Is a field of this name a secret whatever it holds? `serviceKey`, `api_key`, `X-GH-Service-Key`. */
export const isSecretField = (name: string): boolean => secretFieldPattern.test(name);

const personalFields = new Set([
  'profile',
  'answers',
  'qaanswers',
  'qaoverrides',
  'userdata',
  'inputdata',
  'interactiondata',
  'resolutiondata',
  'resultdata',
  'resumeref',
  'email',
  'phone',
  'firstname',
  'lastname',
]);

/** Is it personal data of an applicant, by its name in our code, in GH's rows or in the product's requests? */
export const isPersonalField = (name: string): boolean => personalFields.has(name.toLowerCase().replace(/[-_]/g, ''));
