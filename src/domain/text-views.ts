import { ByteList } from './byte-list';
import { hexDigit, spell, undoEscapes } from './spelled-bytes';

/**
 * How a text is read to be searched. `exact`: as it is. `bare`: without what quoting, escaping and wrapping add or take, such as quotes, backslashes, spaces and
 * line feeds. `hex`: the hex digits alone, in small letters. `dump`: the same of a dump's lines, without their place in the file and their letters. `decimal`:
 * each number a byte.
 */
export const views = ['exact', 'bare', 'hex', 'dump', 'decimal'] as const;
export type View = (typeof views)[number];

/** JSON inside of JSON inside of a URL. What is below the last layer is not searched. */
export const layersMax = 4;

export type Layer = Readonly<Record<View, ByteList>>;

/**
 * Reads a text in its layers, the first one as it is and each other one with one more layer of escapes undone. They are good until the next text is read.
 * `search` sees each and says where, in the text, something ends in it: no escape of the layers below reaches from inside over such an end. But what was found
 * may have been the beginning of something longer, and the end of it of an escape, so then all layers are read and searched once more without regard to that.
 */
export type ReadText = (text: string, search: (layer: Layer, n: number) => readonly number[]) => Layer[];

export const createTextReader = (): ReadText => {
  const all = Array.from({ length: layersMax }, (): Layer => ({
    exact: new ByteList(),
    bare: new ByteList(),
    hex: new ByteList(),
    dump: new ByteList(),
    decimal: new ByteList(),
  }));
  const readLayers = (text: string, search: Parameters<ReadText>[1], ends: Set<number> | null): { layers: Layer[]; isHeld: boolean } => {
    let count = 0;
    let isHeld = false;
    for (const [n, layer] of all.entries()) {
      const above = all[n - 1];
      if (above === undefined) spell(text, layer.exact);
      else {
        const undone = undoEscapes(above.exact, layer.exact, ends ?? noEnds);
        isHeld ||= undone.isHeld;
        if (!undone.isChanged) break;
      }
      readBare(layer.exact, layer.bare);
      readHexDigits(layer.exact, layer.hex);
      if (n === 0) readDump(text, layer.hex, layer.dump);
      readDecimals(layer.exact, layer.decimal);
      for (const end of search(layer, n)) ends?.add(end);
      count += 1;
    }
    return { layers: all.slice(0, count), isHeld };
  };
  return (text, search) => {
    const { layers, isHeld } = readLayers(text, search, new Set());
    return isHeld ? readLayers(text, search, null).layers : layers;
  };
};

const noEnds: ReadonlySet<number> = new Set();

const isOneOf = (characters: string, more: readonly number[] = []): Uint8Array => {
  const table = new Uint8Array(256);
  for (const code of [...Array.from(characters, (character) => character.charCodeAt(0)), ...more]) table[code] = 1;
  return table;
};

/** Controls, spaces and quotes, their escapes, how strings are put together, and what a form makes of a space. */
const leftOut = isOneOf(' "\'\\`$+', [...Array.from({ length: 0x20 }, (_, code) => code), 0x7f]);
export const isLeftOut = (byte: number): boolean => leftOut[byte] === 1;

export const readBare = ({ bytes, starts, ends, length }: ByteList, into: ByteList): void => {
  into.empty(length);
  for (let at = 0; at < length; at++) {
    const byte = bytes[at] ?? 0;
    if (leftOut[byte] === 0) into.push(byte, starts[at] ?? 0, ends[at] ?? 0, at);
  }
};

/** What may stand between two bytes in hex; anything else ends it, and stands as a zero. */
const hexSeparators = isOneOf(':;,-_.()[]{}<>|=');

const readHexDigits = ({ bytes, starts, ends, length }: ByteList, into: ByteList): void => {
  into.empty(length);
  let isEnded = true;
  for (let at = 0; at < length; at++) {
    const byte = bytes[at] ?? 0;
    // `0x` and `\\x` say what follows, and are none of it.
    if (byte === zero && isX(bytes[at + 1]) && (at === 0 || hexDigit(bytes[at - 1] ?? 0) === -1)) at += 1;
    else if (hexDigit(byte) !== -1) {
      into.push(byte | 0x20, starts[at] ?? 0, ends[at] ?? 0, at);
      isEnded = false;
    } else if (isEnded || leftOut[byte] === 1 || hexSeparators[byte] === 1 || (isX(byte) && bytes[at - 1] === backslash)) continue;
    else {
      into.push(0, starts[at] ?? 0, ends[at] ?? 0, at);
      isEnded = true;
    }
  }
};

/** A line of `xxd` or `hexdump`: its place in the file, and behind the bytes what they are in letters. */
const dumpLine =
  /(?<=^|[\s|])([0-9a-f]{7,8}:? {1,2})(?=[0-9a-f]{2})(?:((?:[0-9a-f]{2} {1,2}){1,16}) *\|.*|((?:[0-9a-f]{2,16} ){1,16}) .*)?/gim;
const mayBeDump = /[0-9a-f]{7}:? /i;
const framedLetters = /[0-9a-f]{7,8} {2}(?:[0-9a-f]{2} {1,2}){1,16} *\|.{1,16}\|$/i;

/** `hexdump -C` closes a frame behind its letters, which go on in the next line. */
export const withoutFrame = (line: string): string => (framedLetters.test(line) ? line.slice(0, -1) : line);

/** Where a dump's lines are, so that the bytes of one line go on in the next one. Only of the text as it is: nobody escapes a dump. */
const readDump = (text: string, { bytes, starts, ends, places, length }: ByteList, into: ByteList): void => {
  into.empty(0);
  if (!mayBeDump.test(text)) return;
  const lines = [...text.matchAll(dumpLine)].map(({ index, 1: place = '', 2: pairs, 3: words }) => ({
    index,
    start: index + place.length,
    end: index + place.length + ((pairs ?? words)?.length ?? Infinity),
  }));
  if (lines.length > 0) into.empty(length);
  let n = 0;
  for (let at = 0; at < length; at++) {
    const start = starts[at] ?? 0;
    while (start >= (lines[n + 1]?.index ?? Infinity)) n += 1;
    const line = lines[n];
    if (line !== undefined && start >= line.start && start < line.end) into.push(bytes[at] ?? 0, start, ends[at] ?? 0, places[at] ?? 0);
  }
};

const isX = (byte: number | undefined): boolean => byte === 0x78 || byte === 0x58;
const zero = 0x30;
const backslash = 0x5c;
const comma = 0x2c;

/** Numbers of a byte with commas between them, as an array of bytes is printed. */
const readDecimals = ({ bytes, starts, ends, length }: ByteList, into: ByteList): void => {
  into.empty(length);
  const firstComma = bytes.indexOf(comma);
  if (firstComma === -1 || firstComma >= length) return;
  for (let at = 0; at < length;) {
    let value = 0;
    let end = at;
    for (; end < length && end - at < 4; end++) {
      const digit = (bytes[end] ?? 0) - zero;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
    }
    if (end > at && end - at < 4 && value < 256) into.push(value, starts[at] ?? 0, ends[end - 1] ?? 0, at);
    at = Math.max(end, at + 1);
  }
};
