import { createRedact } from './redact';
import { redacted } from './sensitive';

/**
 * The longest text of a person that is kept, its mark included: a reason, a note, a name. REST refuses a longer one; whatever comes past it (a signal, a start
 * by CLI or Web UI) is cut here.
 */
export const personTextCharsMax = 500;

/** Said at the end of a text that was cut. */
export const personTextCutMark = ' [cut]';

/** So much is looked at: a text of megabytes costs no more than this, and what is kept of it never ends in a part of a secret that was not recognised. */
const readCharsMax = 16_384;

/** Postgres takes no NUL, terminals take the others for commands, and the bidirectional ones show another text than the one that is kept. */
// oxlint-disable-next-line no-control-regex -- they are what it is about
const controls = /[\u0000-\u0008\u000B-\u001F\u007F-\u009F\u202A-\u202E\u2066-\u2069\uFEFF]/g;

/** As people say it: "the code is 4711". Only what has a digit in it: "the token is expired" is none. */
const spoken =
  /\b((?:password|passwort|passcode|passphrase|pin|otp|code|token|secret|key)\s{1,4}(?:is|was|ist|lautet)\s{1,4})(?=\S{0,64}\d)\S+/gi;

/** Halves of a character that stand alone: no UTF-8, so no table and no history takes them as they are. */
const loneSurrogates = /\p{Surrogate}/gu;

const redact = createRedact();

/**
 * What a person typed, as it may be stored, answered, logged and passed to Temporal (promise 8): without control characters and lone surrogates, without what
 * looks like a credential, a token or an e-mail address, and no longer than `personTextCharsMax`. Applied before the text is kept anywhere; twice is once.
 */
export const cleanPersonText = (text: string): string => {
  const isLong = text.length > readCharsMax;
  const read = isLong ? wholeWordsOf(text.slice(0, readCharsMax)) : text;
  const clean = redact(read.replace(loneSurrogates, '\uFFFD').replace(controls, '')).replace(spoken, `$1${redacted}`).trim();
  if (clean.length <= personTextCharsMax && !isLong) return clean;
  return `${clean.slice(0, personTextCharsMax - personTextCutMark.length).replace(loneSurrogates, '')}${personTextCutMark}`;
};

/** Fields of messages, starts and rows that people fill as they like. */
const personFields: ReadonlySet<string> = new Set(['actor', 'source', 'reason', 'note']);

/** The same for what somebody said, by its fields; everything else stays. A start or signal of the CLI or the Web UI has been through no schema of ours. */
export const cleanPersonTexts = <Input extends object>(input: Input): Input => {
  const cleaned = Object.entries(input).map(([name, value]: [string, unknown]) => [
    name,
    typeof value === 'string' && personFields.has(name) ? cleanPersonText(value) : value,
  ]);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- A text stays a text, and nothing else is touched.
  return Object.fromEntries(cleaned) as Input;
};

/** Without the last word, which may be half of a secret. */
const wholeWordsOf = (text: string): string => {
  const end = Math.max(text.lastIndexOf(' '), text.lastIndexOf('\n'));
  return end === -1 ? text : text.slice(0, end);
};
