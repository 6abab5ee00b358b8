import { ByteList } from './byte-list';
import { listPlainForms, listSecretValues } from './secret-forms';
import { spell } from './spelled-bytes';
import { createTextReader, readBare, type View } from './text-views';

export interface Needle {
  view: View;
  bytes: Uint8Array;
  /** Bytes at either end that the view leaves out. */
  before: number;
  after: number;
}

/** Less than this says nothing about a secret: what is left of one that is mostly quotes and spaces is no needle. */
const needleBytesMin = 6;

/** A file of so many lines is encoded as a whole; one line of it alone is printed, not encoded. */
const encodedLinesMax = 16;

export const listNeedles = (secrets: readonly string[]): Needle[] => {
  const needles = new Map<string, Needle>();
  const read = createTextReader();
  const bare = new ByteList();
  const add = (view: View, bytes: Uint8Array, before = 0, after = 0): void => {
    if (bytes.length >= needleBytesMin) needles.set(`${view} ${bytes.join()}`, { view, bytes, before, after });
  };
  const addExact = (text: ByteList): void => {
    add('exact', text.copyBytes());
    readBare(text, bare);
    const last = bare.places[bare.length - 1] ?? 0;
    add('bare', bare.copyBytes(), bare.places[0], text.length - 1 - last);
  };
  for (const secret of secrets) {
    const { whole, lines } = listSecretValues(secret);
    const encoded = new Set(lines.length > encodedLinesMax ? whole : [...whole, ...lines]);
    for (const value of new Set([...whole, ...lines])) {
      const utf8 = spellAlone(value).copyBytes();
      for (const form of listPlainForms(value)) add('exact', spellAlone(form).copyBytes());
      // The secret itself may look escaped, and then every layer of the text undoes a part of it as well.
      for (const layer of read(value, () => [])) addExact(layer.exact);
      // `\xe9` is one byte to C and one character to JavaScript.
      addExact(toLatin1(value));
      if (!encoded.has(value)) continue;
      for (const text of encodedForms(value, utf8)) addExact(spellAlone(text));
      for (const bytes of [utf8, swapPairs(utf8), swapPairs(utf8.subarray(1))]) {
        const hex = spellAlone(Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')).copyBytes();
        add('hex', hex);
        add('dump', hex);
      }
      for (const text of octalForms(utf8)) add('bare', spellAlone(text).copyBytes());
      add('decimal', utf8);
    }
  }
  return [...needles.values()];
};

const spellAlone = (text: string): ByteList => {
  const list = new ByteList();
  spell(text, list);
  return list;
};

/** What has a byte in Latin-1 as that byte, the rest as UTF-8. */
const toLatin1 = (value: string): ByteList => {
  const list = new ByteList();
  list.empty(value.length * 3);
  for (const character of value) {
    const code = character.charCodeAt(0);
    for (const byte of code <= 0xff ? [code] : spellAlone(character).copyBytes()) list.push(byte, 0, 0, 0);
  }
  return list;
};

const base64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const base64Url = base64.replace('+/', '-_');
const base32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** As it is, in JSON, and twice: Kubernetes encodes what a registry's login had encoded before. */
const encodedForms = (value: string, utf8: Uint8Array): string[] => {
  const once = alignedForms(utf8, base64);
  return [
    ...once,
    ...alignedForms(utf8, base64Url),
    ...alignedForms(spellAlone(JSON.stringify(value).slice(1, -1)).copyBytes(), base64),
    ...once.flatMap((text) => alignedForms(spellAlone(text).copyBytes(), base64)),
    ...alignedForms(utf8, base32),
  ];
};

/**
 * Of base64, three neighbouring bytes make four characters, of base32 five make eight, so a value inside of something longer has as many forms. Each begins and
 * ends with the characters that are the value's alone: at either end, less than one byte of it may stay.
 */
const alignedForms = (bytes: Uint8Array, alphabet: string): string[] => {
  const bits = Math.log2(alphabet.length);
  return Array.from({ length: alphabet === base32 ? 5 : 3 }, (_, before) => {
    let form = '';
    for (let n = Math.ceil((before * 8) / bits); (n + 1) * bits <= (before + bytes.length) * 8; n++) {
      const at = n * bits - before * 8;
      const two = ((bytes[at >> 3] ?? 0) << 8) | (bytes[(at >> 3) + 1] ?? 0);
      form += alphabet[(two >> (16 - bits - (at & 7))) & (alphabet.length - 1)] ?? '';
    }
    return form;
  });
};

/** `od -to1` prints bytes, `od` by itself words of two. */
const octalForms = (utf8: Uint8Array): string[] => [
  Array.from(utf8, (byte) => byte.toString(8).padStart(3, '0')).join(''),
  ...[utf8, utf8.subarray(1)].map((bytes) =>
    Array.from({ length: bytes.length >> 1 }, (_, n) =>
      (((bytes[2 * n + 1] ?? 0) << 8) | (bytes[2 * n] ?? 0)).toString(8).padStart(6, '0'),
    ).join(''),
  ),
];

/** `od -x` and `hexdump` print words of two bytes, the later one first. A last byte without another stays out. */
const swapPairs = (bytes: Uint8Array): Uint8Array => bytes.slice(0, bytes.length & ~1).map((_, at, all) => all[at ^ 1] ?? 0);
