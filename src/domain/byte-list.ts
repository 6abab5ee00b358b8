/**
 * Bytes that characters of a text stand for. A list is used again for the next text: a log has millions of short lines, and lists of their own would cost
 * more than everything that is done with them. Only what is before `length` counts.
 */
export class ByteList {
  bytes = new Uint8Array(0);
  /** Of each byte: where its characters begin and end in the text. */
  starts = new Int32Array(0);
  ends = new Int32Array(0);
  /** Of each byte: which one of the list that it was taken from. */
  places = new Int32Array(0);
  length = 0;

  /** Empties it, and makes room for so many. */
  empty(capacity: number): void {
    this.length = 0;
    if (this.bytes.length >= capacity) return;
    const size = Math.ceil(capacity * 1.5);
    this.bytes = new Uint8Array(size);
    this.starts = new Int32Array(size);
    this.ends = new Int32Array(size);
    this.places = new Int32Array(size);
  }

  push(byte: number, start: number, end: number, place: number): void {
    const { length } = this;
    this.bytes[length] = byte;
    this.starts[length] = start;
    this.ends[length] = end;
    this.places[length] = place;
    this.length = length + 1;
  }

  /** What it holds now, for one that is kept. */
  copyBytes(): Uint8Array {
    return this.bytes.slice(0, this.length);
  }
}
