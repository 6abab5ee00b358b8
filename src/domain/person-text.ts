import { hideSecretPatterns } from './secret-patterns';
import { redacted } from './sensitive';

/**
 * The longest text of a person that is kept, its mark included: a reason, a note, a name. REST refuses a longer one; whatever comes past it (a signal, a start
 * by CLI or Web UI) is cut here.
 */
export const personTextCharsMax = 500;

/** Stands at the end of a text that was cut. */
export const personTextCutMark = ' [cut]';

/** So much is read: a text of megabytes costs no more than this, and what is kept of it never ends in a part of a secret that was not recognised. */
const readCharsMax = 16_384;

/** Postgres takes no NUL, terminals take the others for commands, and the bidirectional ones show another text than the one that is kept. */
// oxlint-disable-next-line no-control-regex -- they are what it is about
const controls = /[\u0000-\u0008\u000B-\u001F\u007F-\u009F\u202A-\u202E\u2066-\u2069\uFEFF]/g;

/** As people say it: "the code is 4711". Only what has a digit in it: "the token is expired" is none. */
const spoken =
  /\b((?:password|passwort|passcode|passphrase|pin|otp|code|token|secret|key)\s{1,4}(?:is|was|ist|lautet)\s{1,4})(?=\S{0,64}\d)\S+/gi;

/** Halves of a character that stand alone: no UTF-8, so no table and no history takes them as they are. */
const loneSurrogates = /\p{Surrogate}/gu;

/**
 * What a person typed, as it may be stored, answered, logged and passed to Temporal (promise 8): without control characters and lone surrogates, without what
 * looks like a credential, a token or an e-mail address, and no longer than `personTextCharsMax`. Applied at both borders, by the schemas of REST and by the
 * rules of what starts and reaches workflows (field-rules.ts), so nothing behind them cleans again; twice is once.
 */
export const cleanPersonText = (text: string): string => {
  const isLong = text.length > readCharsMax;
  const read = isLong ? wholeWordsOf(text.slice(0, readCharsMax)) : text;
  const clean = hideSecretPatterns(read.replace(loneSurrogates, '\uFFFD').replace(controls, '')).replace(spoken, `$1${redacted}`).trim();
  if (clean.length <= personTextCharsMax && !isLong) return clean;
  return `${clean.slice(0, personTextCharsMax - personTextCutMark.length).replace(loneSurrogates, '')}${personTextCutMark}`;
};

/** Without the last word, which may be half of a secret. */
const wholeWordsOf = (text: string): string => {
  const end = Math.max(text.lastIndexOf(' '), text.lastIndexOf('\n'));
  return end === -1 ? text : text.slice(0, end);
};
