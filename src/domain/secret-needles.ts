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

/** A secret that the end of a line may have cut: so much of it is there, and more may be on the next line. */
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
      for (const text of base64Forms(utf8)) addExact(spellAlone(text));
      add('hex', spellAlone(Array.from(utf8, (byte) => byte.toString(16).padStart(2, '0')).join('')).copyBytes());
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

/**
 * Of base64, three neighbouring bytes make four characters, so a value inside of something longer has three forms. Each begins and ends with the
 * characters that are the value's alone: at either end, less than one byte of it may stay.
 */
const base64Forms = (bytes: Uint8Array): string[] =>
  [0, 1, 2].flatMap((before) => {
    const encoded = btoa(Array.from([...new Uint8Array(before), ...bytes], (byte) => String.fromCharCode(byte)).join(''));
    const own = encoded.slice(Math.ceil((before * 8) / 6), Math.floor(((before + bytes.length) * 8) / 6));
    return [own, own.replaceAll('+', '-').replaceAll('/', '_')];
  });
