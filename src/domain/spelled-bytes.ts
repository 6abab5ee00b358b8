import type { ByteList } from './byte-list';
import { entityLengthMax, htmlEntities } from './html-entities';

/**
 * A text as the UTF-8 bytes that it spells, each with the characters that spell it. Escapes are undone a layer at a time, so what was written by one tool into
 * the output of another is reached too; whatever a layer drops or joins is known by its place, so the text itself can be hidden there.
 */
class Writer {
  /** The first half of a pair, which stands for itself only if no second half follows. */
  #high = 0;
  #highStart = 0;
  #highEnd = 0;

  constructor(private readonly into: ByteList) {}

  byte(byte: number, start: number, end: number): void {
    this.finish();
    this.into.push(byte, start, end, 0);
  }

  /** A character by its number, of which UTF-16 may have made two. */
  codePoint(code: number, start: number, end: number): void {
    if (code >= 0xdc_00 && code <= 0xdf_ff && this.#high !== 0) {
      const whole = 0x1_00_00 + ((this.#high - 0xd8_00) << 10) + (code - 0xdc_00);
      this.#high = 0;
      return this.#encode(whole, this.#highStart, end);
    }
    this.finish();
    if (code >= 0xd8_00 && code <= 0xdb_ff) {
      this.#high = code;
      this.#highStart = start;
      this.#highEnd = end;
    } else this.#encode((code >= 0xdc_00 && code <= 0xdf_ff) || code > 0x10_ff_ff ? replacement : code, start, end);
  }

  finish(): void {
    if (this.#high === 0) return;
    this.#high = 0;
    this.#encode(replacement, this.#highStart, this.#highEnd);
  }

  #encode(code: number, start: number, end: number): void {
    const { into } = this;
    if (code < 0x80) return into.push(code, start, end, 0);
    if (code < 0x8_00) into.push(0xc0 | (code >> 6), start, end, 0);
    else {
      if (code < 0x1_00_00) into.push(0xe0 | (code >> 12), start, end, 0);
      else {
        into.push(0xf0 | (code >> 18), start, end, 0);
        into.push(0x80 | ((code >> 12) & 0x3f), start, end, 0);
      }
      into.push(0x80 | ((code >> 6) & 0x3f), start, end, 0);
    }
    into.push(0x80 | (code & 0x3f), start, end, 0);
  }
}

/** What UTF-8 has for half a character. */
const replacement = 0xff_fd;

/** The text as it is. */
export const spell = (text: string, into: ByteList): void => {
  into.empty(text.length * 3);
  const writer = new Writer(into);
  for (let at = 0; at < text.length; at++) writer.codePoint(text.charCodeAt(at), at, at + 1);
  writer.finish();
};

const percent = 0x25;
const ampersand = 0x26;
const backslash = 0x5c;
const lineFeed = 0x0a;

/**
 * One layer of escapes less: `%2F`, `%u00e9`, `&amp;`, `&#x2F;`, `\n`, `\/`, `\x2F`, `\057`, `\u00e9`, `\u{2F}`, a line that goes on. Nothing is changed when there is none. One that
 * reaches over one of `foundEnds`, places of the text, is held to be none: something that was found ends there.
 */
export const undoEscapes = (
  { bytes: all, starts, ends, length }: ByteList,
  into: ByteList,
  foundEnds: ReadonlySet<number>,
): { isChanged: boolean; isHeld: boolean } => {
  const bytes = all.subarray(0, length);
  if (!bytes.includes(percent) && !bytes.includes(ampersand) && !bytes.includes(backslash)) return { isChanged: false, isHeld: false };
  // No escape spells more bytes than it is long.
  into.empty(length);
  const writer = new Writer(into);
  let isChanged = false;
  let isHeld = false;
  for (let at = 0; at < length;) {
    const byte = bytes[at] ?? 0;
    const start = starts[at] ?? 0;
    const escape = readEscape(byte, bytes, at);
    const isOver = escape !== null && reachesOver(foundEnds, start, ends[at + escape.length - 1] ?? 0);
    isHeld ||= isOver;
    if (escape === null || isOver) {
      writer.byte(byte, start, ends[at] ?? 0);
      at += 1;
      continue;
    }
    isChanged = true;
    const end = ends[at + escape.length - 1] ?? 0;
    if (escape.kind === 'byte') writer.byte(escape.value, start, end);
    else if (escape.kind === 'character') writer.codePoint(escape.value, start, end);
    at += escape.length;
  }
  writer.finish();
  return { isChanged, isHeld };
};

const reachesOver = (foundEnds: ReadonlySet<number>, start: number, end: number): boolean => {
  if (foundEnds.size === 0) return false;
  for (let at = start + 1; at < end; at++) if (foundEnds.has(at)) return true;
  return false;
};

const readEscape = (byte: number, bytes: Uint8Array, at: number): Escape | null => {
  switch (byte) {
    case percent:
      return readPercent(bytes, at);
    case ampersand:
      return readEntity(bytes, at);
    case backslash:
      return readBackslash(bytes, at);
    default:
      return null;
  }
};

/** How many bytes it takes, and what they spell: one byte, one character by its number, nothing. */
type Escape = { kind: 'byte' | 'character'; value: number; length: number } | { kind: 'nothing'; length: number };

const readPercent = (bytes: Uint8Array, at: number): Escape | null => {
  if (bytes[at + 1] === 0x75) {
    const unit = readHex(bytes, at + 2, 4);
    return unit.length === 4 ? { kind: 'character', value: unit.value, length: 6 } : null;
  }
  const code = readHex(bytes, at + 1, 2);
  return code.length === 2 ? { kind: 'byte', value: code.value, length: 3 } : null;
};

const readEntity = (bytes: Uint8Array, at: number): Escape | null => {
  if (bytes[at + 1] === 0x23) {
    const isHex = ((bytes[at + 2] ?? 0) | 0x20) === 0x78;
    const from = at + (isHex ? 3 : 2);
    const { value, length } = isHex ? readHex(bytes, from, 8) : readDecimal(bytes, from, 8);
    if (length === 0) return null;
    return { kind: 'character', value, length: from - at + length + (bytes[from + length] === 0x3b ? 1 : 0) };
  }
  let name = '';
  for (let next = at + 1; next < bytes.length && name.length < entityLengthMax; next++) {
    const byte = bytes[next] ?? 0;
    if (byte === 0x3b) {
      const value = htmlEntities.get(name);
      return value === undefined ? null : { kind: 'character', value, length: next - at + 1 };
    }
    if (!isAlphanumeric(byte)) return null;
    name += String.fromCharCode(byte);
  }
  return null;
};

/** What letters mean behind a backslash; any other character means itself. */
const controls = new Map(
  Object.entries({ n: 10, t: 9, r: 13, b: 8, f: 12, v: 11, a: 7, e: 27, E: 27 }).map(([letter, code]) => [letter.charCodeAt(0), code]),
);

const readBackslash = (bytes: Uint8Array, at: number): Escape | null => {
  const next = bytes[at + 1];
  if (next === undefined) return null;
  if (next === lineFeed) return { kind: 'nothing', length: 2 };
  const octal = readDigits(bytes, at + 1, 3, octalDigit);
  if (octal.length > 0) return { kind: 'byte', value: octal.value & 0xff, length: 1 + octal.length };
  const isX = next === 0x78;
  if (isX || next === 0x75) {
    const braced = bytes[at + 2] === 0x7b ? readHex(bytes, at + 3, 6) : null;
    if (braced !== null && braced.length > 0 && bytes[at + 3 + braced.length] === 0x7d)
      return { kind: 'character', value: braced.value, length: 4 + braced.length };
    const code = readHex(bytes, at + 2, isX ? 2 : 4);
    if (isX && code.length > 0) return { kind: 'byte', value: code.value, length: 2 + code.length };
    if (code.length === 4) return { kind: 'character', value: code.value, length: 6 };
  }
  if (next === 0x55) {
    const code = readHex(bytes, at + 2, 8);
    if (code.length === 8) return { kind: 'character', value: code.value, length: 10 };
  }
  return { kind: 'byte', value: controls.get(next) ?? next, length: 2 };
};

interface Digits {
  value: number;
  length: number;
}

const readDigits = (bytes: Uint8Array, at: number, most: number, digitOf: (byte: number) => number, base = 8): Digits => {
  let value = 0;
  let length = 0;
  while (length < most && at + length < bytes.length) {
    const digit = digitOf(bytes[at + length] ?? 0);
    if (digit === -1) break;
    value = value * base + digit;
    length += 1;
  }
  return { value, length };
};

const readHex = (bytes: Uint8Array, at: number, most: number): Digits => readDigits(bytes, at, most, hexDigit, 16);
const readDecimal = (bytes: Uint8Array, at: number, most: number): Digits => readDigits(bytes, at, most, decimalDigit, 10);

const octalDigit = (byte: number): number => (byte >= 0x30 && byte <= 0x37 ? byte - 0x30 : -1);
const decimalDigit = (byte: number): number => (byte >= 0x30 && byte <= 0x39 ? byte - 0x30 : -1);
export const hexDigit = (byte: number): number => {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
};

const isAlphanumeric = (byte: number): boolean => (byte >= 0x30 && byte <= 0x39) || ((byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a);
