import type { ByteList } from './byte-list';
import { createNeedleIndex } from './needle-index';
import { listNeedles, type Needle } from './secret-needles';
import type { Sensitive } from './sensitive';
import { createTextReader, isLeftOut, views, withoutFrame, type Layer } from './text-views';

/** Characters of a text, the end not included. */
export interface Range {
  start: number;
  end: number;
}

/** A secret that the end of a line may have cut: so much of it is there, and more may be on the next line. */
export interface OpenEnd {
  needle: Needle;
  layer: number;
  /** Bytes of the needle up to here. */
  matched: number;
  range: Range;
}

/** Where an open end goes on. `open`: null when all of it has come. */
export interface Continued {
  from: OpenEnd;
  open: OpenEnd | null;
  range: Range;
  addedBytes: number;
}

export interface SecretFinder {
  /** The longest text that one of the secrets can be spelled by. */
  spelledCharsMax: number;
  find(text: string): Range[];
  /** The same, what the end of the line may have cut, and which of the open ends go on at its beginning, or behind what a printer puts before each line. */
  findInLine(line: string, before: readonly OpenEnd[]): { ranges: Range[]; open: OpenEnd[]; continued: Continued[] };
}

/** The longest spelling of a byte that is undone: `&amp;#x41;`. */
const charsOfByteMax = 12;
/** A text of megabytes is read in parts that overlap, since what is kept of it while it is read is a dozen times as long. */
const windowCharsMin = 65_536;

/**
 * Finds secrets in any spelling that the text of a shell, YAML, JSON, URL or HTML tool gives them. Each layer of the text is read in each view and searched
 * once for all secrets together, so the time grows with the text, and hardly with the number of secrets.
 */
export const createSecretFinder = (secrets: readonly Sensitive<string>[]): SecretFinder => {
  const values = secrets.map((secret) => secret.unredacted());
  const needles = listNeedles(values);
  const indexes = views.map((view) => ({ view, index: createNeedleIndex(needles.filter((needle) => needle.view === view)) }));

  const readText = createTextReader();

  const read = (text: string, cut: (end: OpenEnd) => void = () => undefined): { ranges: Range[]; layers: Layer[] } => {
    const ranges: Range[] = [];
    if (needles.length === 0) return { ranges, layers: [] };
    const searchLayer = (seen: Layer, layer: number): number[] => {
      const before = ranges.length;
      for (const { view, index } of indexes) {
        const viewed = seen[view];
        index.search(viewed, {
          found: (needle, at) => ranges.push(rangeOf(seen.exact, viewed, needle, at)),
          cut: (needle, at) => {
            const matched = viewed.length - at;
            cut({ needle, layer, matched, range: spanOf(viewed, at, matched) });
          },
        });
      }
      return ranges.slice(before).map(({ end }) => end);
    };
    return { ranges, layers: readText(text, searchLayer) };
  };

  const spelledCharsMax = charsOfByteMax * Math.max(0, ...values.map((value) => value.length));
  const windowChars = Math.max(windowCharsMin, 4 * spelledCharsMax);

  return {
    spelledCharsMax,
    find(text) {
      const ranges: Range[] = [];
      for (let at = 0; at < text.length; at += windowChars - spelledCharsMax) {
        for (const { start, end } of read(text.slice(at, at + windowChars)).ranges) ranges.push({ start: at + start, end: at + end });
        if (at + windowChars >= text.length) break;
      }
      return ranges;
    },
    findInLine(line, before) {
      const open: OpenEnd[] = [];
      // What is cut where it stands as it is, is cut in the bare view too.
      const { ranges, layers } = read(withoutFrame(line), (end) => end.needle.view !== 'exact' && open.push(end));
      return { ranges, open, continued: layers.length === 0 ? [] : findContinued(layers, before) };
    },
  };
};

const findContinued = (layers: readonly Layer[], before: readonly OpenEnd[]): Continued[] => {
  const beginnings = new Map<ByteList, number[]>();
  return before.flatMap((from) => {
    const viewed = layers[Math.min(from.layer, layers.length - 1)]?.[from.needle.view];
    if (viewed === undefined) return [];
    const places = beginnings.get(viewed) ?? listBeginnings(viewed);
    beginnings.set(viewed, places);
    const rest = findRest(viewed, places, from);
    if (rest === null) return [];
    const range = spanOf(viewed, rest.at, rest.length);
    const matched = from.matched + rest.length;
    const isWhole = matched === from.needle.bytes.length;
    return [{ from, range, open: isWhole ? null : { ...from, matched, range }, addedBytes: rest.length }];
  });
};

const spanOf = ({ starts, ends }: ByteList, at: number, length: number): Range => ({
  start: starts[at] ?? 0,
  end: ends[at + length - 1] ?? 0,
});

const rangeOf = (
  { bytes, starts, ends, length }: ByteList,
  viewed: ByteList,
  { view, bytes: wanted, before, after }: Needle,
  at: number,
): Range => {
  const range = spanOf(viewed, at, wanted.length);
  if (view !== 'bare') return range;
  // What the secret begins or ends with and the view leaves out is hidden as well.
  const first = viewed.places[at] ?? 0;
  const last = viewed.places[at + wanted.length - 1] ?? 0;
  for (let n = 1; n <= before && first - n >= 0 && isLeftOut(bytes[first - n] ?? 0); n++) range.start = starts[first - n] ?? range.start;
  for (let n = 1; n <= after && last + n < length && isLeftOut(bytes[last + n] ?? 0); n++) range.end = ends[last + n] ?? range.end;
  return range;
};

/** What a printer puts before each line ends with one of these, or with what the view leaves out. */
const prefixEnds = new Set(Array.from('|>#:])}-*;,=', (character) => character.charCodeAt(0)));

const listBeginnings = ({ bytes, places, length }: ByteList): number[] => {
  const beginnings = length === 0 ? [] : [0];
  for (let at = 1; at < length; at++)
    if ((places[at] ?? 0) > (places[at - 1] ?? 0) + 1 || prefixEnds.has(bytes[at - 1] ?? 0)) beginnings.push(at);
  return beginnings;
};

/** Where the rest of a cut secret stands in a line: all of it, or as much as the line has. */
const findRest = (
  { bytes, length: textLength }: ByteList,
  places: readonly number[],
  { needle, matched }: OpenEnd,
): { at: number; length: number } | null => {
  const wanted = needle.bytes;
  for (const at of places) {
    let length = 0;
    while (at + length < textLength && matched + length < wanted.length && bytes[at + length] === wanted[matched + length]) length += 1;
    if (length > 0 && (matched + length === wanted.length || at + length === textLength)) return { at, length };
  }
  return null;
};
