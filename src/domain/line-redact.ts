import { hide, withoutRanges } from './redact';
import { createSecretFinder, type OpenEnd, type Range } from './secret-finder';
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

/** What the end of a line has of a secret: below this it may be a word, and the line waits for the next one; from this on it is hidden at once. */
const surePrefixBytes = 16;
/** Less than this is not worth a wait: it gives away a character or two. */
const waitingPrefixBytes = 4;
/** Kamal prints its hosts' lines in turns: what surely was the beginning of a secret is looked for in so many lines that follow. */
const sureLinesMax = 32;
/** So many lines wait at most; a secret that is wrapped after every third character is sure before. */
const waitingLinesMax = 16;
const openEndsMax = 256;

/** A line that is not shown yet, or was: then its ranges change nothing. */
interface Line {
  text: string;
  ranges: Range[];
}

/** A secret that went to the end of a line, and where it was seen so far. */
interface Cut {
  open: OpenEnd;
  pieces: { line: Line; range: Range }[];
  linesSince: number;
}

/**
 * Takes secrets out of lines as they come: a whole line is given back at once, unless it ends as a secret begins, which waits for the next one. A secret that
 * was wrapped is hidden on each of its lines; there are as many lines as before, in their order. A long line comes and goes in parts; it is cut only where
 * cutting changes nothing for what is recognised. A private key's block is hidden over any number of lines.
 */
export const createLineRedact = ({
  secrets,
  heldCharsMin = 8_192,
}: LineRedactOrder): { add(part: LinePart): string[]; end(): string[] } => {
  const finder = createSecretFinder(secrets);
  const redact = (text: string): string => hide(text, finder.find(text));
  const heldChars = Math.max(heldCharsMin, finder.spelledCharsMax);
  let held = '';
  /** Lines of a key block so far; null outside of one. */
  let blockLines: number | null = null;
  let isSkipping = false;
  let cuts: Cut[] = [];
  let waiting: Line[] = [];

  const add = ({ text, isCut }: LinePart): string[] => {
    if (isSkipping) {
      isSkipping = isCut;
      return [];
    }
    held += text;
    if (blockLines !== null && !leaveBlock(isCut)) return [];
    return isCut ? showBeginning() : showLine();
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

  const showLine = (): string[] => {
    const text = held;
    held = '';
    const line: Line = { text, ranges: [] };
    const { ranges, open } = follow(line);
    line.ranges.push(...ranges);
    cuts.push(...open.map((each) => ({ open: each, pieces: [{ line, range: each.range }], linesSince: 0 })));
    cuts = cuts.toSorted((a, b) => b.open.matched - a.open.matched).slice(0, openEndsMax);
    for (const cut of cuts.filter(isSure)) hidePieces(cut);
    waiting.push(line);
    if (opensBlock(text)) {
      blockLines = 0;
      cuts = [];
    }
    return showReady();
  };

  /** Hides what goes on in this line and has come to its end; what may go on still stays in `cuts`. */
  const follow = (line: Line): Pick<ReturnType<typeof finder.findInLine>, 'ranges' | 'open'> => {
    const before = cuts.map(({ open }) => open);
    const { ranges, open, continued } = finder.findInLine(line.text, before);
    const byOpenEnd = new Map(continued.map((each) => [each.from, each]));
    const isBlank = line.text.trim() === '';
    cuts = cuts.flatMap((cut) => {
      const more = byOpenEnd.get(cut.open);
      const isShort = more === undefined || more.addedBytes < waitingPrefixBytes;
      const isKept = cut.linesSince < sureLinesMax && (isBlank || isSure(cut));
      const kept = isKept && isShort && more?.open !== null ? [{ ...cut, linesSince: cut.linesSince + 1 }] : [];
      // Between other lines a letter or two are too little to go on with.
      if (more === undefined || (isShort && cut.linesSince > 0)) return kept;
      const pieces = [...cut.pieces, { line, range: more.range }];
      if (more.open !== null) return [...kept, { open: more.open, pieces, linesSince: 0 }];
      hidePieces({ pieces });
      return kept;
    });
    return { ranges, open };
  };

  /** All lines but those that wait for the next one, and what came after them. */
  const showReady = (): string[] => {
    const needed = new Set(cuts.filter(isWorthWaiting).flatMap(({ pieces }) => pieces.map(({ line }) => line)));
    const first = waiting.findIndex((line) => needed.has(line));
    const ready = first === -1 ? waiting.length : Math.max(first, waiting.length - waitingLinesMax);
    return waiting.splice(0, ready).map(({ text, ranges }) => hide(text, ranges));
  };

  const showBeginning = (): string[] => {
    if (held.length <= heldChars) return [];
    const before = endCuts();
    return [...before, ...showPart()];
  };

  /** A long line has no end that could be waited for; what was cut before it goes on in what is held, or nowhere. */
  const endCuts = (): string[] => {
    const line: Line = { text: held, ranges: [] };
    const { ranges } = follow(line);
    // What goes on here may stand within a whole secret, of which nothing would be found afterwards.
    const wholes = ranges.filter(({ start, end }) => line.ranges.some((range) => range.start < end && start < range.end));
    held = withoutRanges(held, [...line.ranges, ...wholes]);
    cuts = [];
    return showReady();
  };

  const showPart = (): string[] => {
    const at = findCut(held, { latest: held.length - heldChars, redact });
    if (at !== null) {
      const shown = redact(held.slice(0, at));
      held = held.slice(at);
      return [shown + cutMark];
    }
    // Something that is recognised goes on over all of it. Before that, both agree; what comes later may hold half a secret.
    const shown = commonBeginning(redact(held), redact(held.slice(0, Math.max(0, held.length - heldChars))));
    if (opensBlock(held)) blockLines = 0;
    isSkipping = blockLines === null;
    held = isSkipping ? '' : held.slice(-blockEndCharsMax);
    return [shown + (isSkipping ? skipMark : cutMark)];
  };

  return {
    add,
    end() {
      const last = held === '' || blockLines !== null ? [] : showLine();
      cuts.filter(isWorthWaiting).forEach(hidePieces);
      cuts = [];
      return [...last, ...showReady()];
    },
  };
};

const isSure = ({ open }: Cut): boolean => open.matched >= surePrefixBytes;
const isWorthWaiting = (cut: Cut): boolean => cut.open.matched >= waitingPrefixBytes && !isSure(cut);
/** Once: nobody needs to remember what is hidden. */
const hidePieces = ({ pieces }: Pick<Cut, 'pieces'>): void => {
  for (const { line, range } of pieces.splice(0)) line.ranges.push(range);
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
