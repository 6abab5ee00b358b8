import { createSecretFinder, type Range } from './secret-finder';
import { hideSecretPatterns, secretName } from './secret-patterns';
import { redacted, type Sensitive } from './sensitive';

/** Takes the secrets and the personal data that can be recognised out of a text. */
export type Redact = (text: string) => string;

/** Hides the given values, in every spelling that they may have in an output, and everything that looks like a secret. */
export const createRedact = (secrets: readonly Sensitive<string>[] = []): Redact => {
  const finder = createSecretFinder(secrets);
  return (text) => hide(text, finder.find(text));
};

/** The text without those ranges, and without everything that looks like a secret. */
export const hide = (text: string, ranges: readonly Range[]): string => hideSecretPatterns(withoutRanges(text, ranges));

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
