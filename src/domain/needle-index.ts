import type { ByteList } from './byte-list';
import type { Needle } from './secret-needles';

/** Of a needle and a text so many bytes must agree before anything is compared. */
const gramBytes = 4;

export interface NeedleIndex {
  size: number;
  /** `found` for each place at which one stands, `cut` where the end of the bytes may have cut one. */
  search(text: ByteList, seen: { found: (needle: Needle, at: number) => void; cut: (needle: Needle, at: number) => void }): void;
}

export const createNeedleIndex = (needles: readonly Needle[]): NeedleIndex => {
  const byGram = new Map<number, Needle[]>();
  const byBeginning = new Map<number, Needle[]>();
  // Most places of a text are none of a needle: this says so without a look into the map.
  const filter = new Uint8Array(0x1_00_00);
  for (const needle of needles) {
    const gram = gramAt(needle.bytes, 0, gramBytes);
    filter[hashOf(gram)] = 1;
    byGram.set(gram, [...(byGram.get(gram) ?? []), needle]);
    for (let length = 1; length < gramBytes; length++) {
      const key = gramAt(needle.bytes, 0, length) * gramBytes + length;
      byBeginning.set(key, [...(byBeginning.get(key) ?? []), needle]);
    }
  }
  return {
    size: needles.length,
    search({ bytes, length: textLength }, { found, cut }) {
      let gram = 0;
      for (let end = 0; end < textLength; end++) {
        gram = ((gram << 8) | (bytes[end] ?? 0)) >>> 0;
        if (end < gramBytes - 1 || filter[hashOf(gram)] === 0) continue;
        const at = end - gramBytes + 1;
        for (const needle of byGram.get(gram) ?? []) {
          const length = agreeing(needle.bytes, bytes, at, textLength);
          if (length === needle.bytes.length) found(needle, at);
          else if (at + length === textLength) cut(needle, at);
        }
      }
      for (let length = 1; length < gramBytes && length <= textLength; length++) {
        const at = textLength - length;
        for (const needle of byBeginning.get(gramAt(bytes, at, length) * gramBytes + length) ?? []) cut(needle, at);
      }
    },
  };
};

const gramAt = (bytes: Uint8Array, at: number, length: number): number => {
  let gram = 0;
  for (let n = 0; n < length; n++) gram = ((gram << 8) | (bytes[at + n] ?? 0)) >>> 0;
  return gram;
};

const hashOf = (gram: number): number => Math.imul(gram, 0x9e_37_79_b1) >>> 16;

const agreeing = (wanted: Uint8Array, bytes: Uint8Array, at: number, until: number): number => {
  let length = 0;
  while (length < wanted.length && at + length < until && wanted[length] === bytes[at + length]) length += 1;
  return length;
};
