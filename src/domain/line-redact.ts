import { createRedact } from './redact';
import { listSecretForms } from './secret-forms';
import type { Sensitive } from './sensitive';

/** A line, or a part of one that is too long; every part but the last is cut. */
export interface LinePart {
  text: string;
  isCut: boolean;
}

export interface LineRedactOrder {
  secrets: readonly Sensitive<string>[];
  /** Of a long line, so much is held back, since a secret may begin in it: more than any pattern of `createRedact` needs to be recognised. */
  heldCharsMin?: number;
}

/** Said at the end of a part of a long line. */
export const cutMark = ' [line continues]';
/** Said where a single secret seems to be longer than what can be held. */
export const skipMark = ' [rest of the line left out]';

/** An RSA key of 16,384 bits has less than 200 lines; a block that has not ended by then was none. */
const blockLinesMax = 256;
const blockBegin = /-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY-----/g;
const blockEnd = /-----END [A-Z0-9 ]{0,30}PRIVATE KEY-----/;
/** Longer than the mark that ends a block. */
const blockEndCharsMax = 64;

/**
 * Takes secrets out of lines as they come: a whole line is given back at once, so nothing waits for the next one. A long line comes and goes in
 * parts; it is cut only where cutting changes nothing for what is recognised. A private key's block is hidden over any number of lines.
 */
export const createLineRedact = ({
  secrets,
  heldCharsMin = 8_192,
}: LineRedactOrder): { add(part: LinePart): string[]; end(): string[] } => {
  const redact = createRedact(secrets);
  const formLengths = secrets.flatMap((secret) => listSecretForms(secret.unredacted())).map((form) => form.length);
  const heldChars = Math.max(heldCharsMin, ...formLengths.map((length) => length + 1));
  let held = '';
  /** Lines of a key block so far; null outside of one. */
  let blockLines: number | null = null;
  let isSkipping = false;

  const add = ({ text, isCut }: LinePart): string[] => {
    if (isSkipping) {
      isSkipping = isCut;
      return [];
    }
    held += text;
    if (blockLines !== null && !leaveBlock(isCut)) return [];
    return isCut ? showBeginning() : [showAll()];
  };

  /** False while the block goes on. What follows it on its last line stays held. */
  const leaveBlock = (isCut: boolean): boolean => {
    const found = blockEnd.exec(held);
    if (found !== null) {
      blockLines = null;
      held = held.slice(found.index + found[0].length);
      const isMore = isCut || held.trim() !== '';
      if (!isMore) held = '';
      return isMore;
    }
    held = isCut ? held.slice(-blockEndCharsMax) : '';
    if (!isCut) blockLines = (blockLines ?? 0) + 1;
    if (blockLines !== null && blockLines >= blockLinesMax) blockLines = null;
    return false;
  };

  const showAll = (): string => {
    const shown = redact(held);
    if (opensBlock(held)) blockLines = 0;
    held = '';
    return shown;
  };

  const showBeginning = (): string[] => {
    if (held.length <= heldChars) return [];
    const at = findCut(held, { latest: held.length - heldChars, redact });
    if (at !== null) {
      const shown = redact(held.slice(0, at));
      held = held.slice(at);
      return [shown + cutMark];
    }
    // Something that is recognised goes on over all of it. Before that, both agree; what comes later may hold half a secret.
    const shown = commonBeginning(redact(held), redact(held.slice(0, held.length - heldChars)));
    if (opensBlock(held)) blockLines = 0;
    isSkipping = blockLines === null;
    held = isSkipping ? '' : held.slice(-blockEndCharsMax);
    return [shown + (isSkipping ? skipMark : cutMark)];
  };

  return { add, end: () => (held === '' || blockLines !== null ? [] : [showAll()]) };
};

const opensBlock = (line: string): boolean => {
  const begin = [...line.matchAll(blockBegin)].at(-1);
  return begin !== undefined && !blockEnd.test(line.slice(begin.index));
};

/** A place at which both halves show together what the whole shows; looked for in the later half, in growing steps from the latest one on. */
const findCut = (text: string, { latest, redact }: { latest: number; redact: (text: string) => string }): number | null => {
  const whole = redact(text);
  for (let step = 1; latest - step + 1 > latest / 2; step *= 2) {
    const at = latest - step + 1;
    if (!isLowSurrogate(text.charCodeAt(at)) && redact(text.slice(0, at)) + redact(text.slice(at)) === whole) return at;
  }
  return null;
};

const commonBeginning = (a: string, b: string): string => {
  let length = 0;
  while (length < a.length && length < b.length && a[length] === b[length]) length += 1;
  return a.slice(0, length);
};

const isLowSurrogate = (code: number): boolean => code >= 0xdc_00 && code <= 0xdf_ff;
