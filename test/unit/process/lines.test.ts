import { array, assert, constantFrom, oneof, property, string, uint8Array, nat } from 'fast-check';
import type { LinePart } from '../../../src/domain/line-redact';
import { createLines } from '../../../src/process/lines';

const charsMax = 10;

/** Cuts the bytes at the given places, in any order and number. */
const readIn = (bytes: Buffer, cuts: readonly number[], max = charsMax): LinePart[] => {
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length];
  const lines = createLines({ charsMax: max });
  const parts = places.slice(1).flatMap((end, n) => lines.add(bytes.subarray(places[n], end)));
  return [...parts, ...lines.end()];
};

/** The lines of a text, with the parts of a long one put together. */
const linesOf = (text: string, max = 1_000): string[] => readIn(Buffer.from(text, 'latin1'), [], max).map((part) => part.text);
const utf8 = (text: string): string => Buffer.from(text).toString('latin1');

describe('lines', () => {
  it.each([
    ['end with LF', 'a\nb\n', ['a', 'b']],
    ['end with CR LF', 'a\r\nb\r\n', ['a', 'b']],
    ['may be empty', 'a\n\nb\n', ['a', '', 'b']],
    ['end with the output', 'a\nb', ['a', 'b']],
    ['show the last state of a progress', '10 %\r50 %\r100 %\nnext\n', ['100 %', 'next']],
    ['keep it when CR comes last', '10 %\r100 %\r\n', ['100 %']],
    ['keep it at the end of the output', '10 %\r100 %\r', ['100 %']],
    ['have no colours', '\x1b[31mred\x1b[0m and \x1b[1;38;5;200mpink\x1b[m\n', ['red and pink']],
    ['have no cursor movements', 'a\x1b[2K\x1b[1Gb\x1b7\x1b8c\x1b(Bd\n', ['abcd']],
    ['have no titles and links', '\x1b]0;title\x07a\x1b]8;;https://x.example\x1b\\link\x1b]8;;\x1b\\\n', ['alink']],
    ['have no sequences in one character', utf8('a\u009b31mb\u009dtitle\u009cc\n'), ['abc']],
    ['end a sequence that does not end itself', 'a\x1b]0;title\nb\x1b[31\nc\n', ['a', 'b', 'c']],
    ['have no NUL and no other control characters', 'a\0b\x07c\x08d\x7fe\tf\n', ['abcde\tf']],
    ['show bytes that are no UTF-8', 'a\xff\xfeb\xc3\n', ['a\ufffd\ufffdb\ufffd']],
    ['keep every script', utf8('zażółć 名前 👩‍🚀\n'), ['zażółć 名前 👩‍🚀']],
  ])('%s', (_what, text, lines) => {
    expect(linesOf(text)).toEqual(lines);
  });

  it('come in marked parts when they are too long, and no character is cut', () => {
    expect(readIn(Buffer.from('abcdefghi👩klmnop\nab'), [])).toEqual([
      { text: 'abcdefghi', isCut: true },
      { text: '👩klmnop', isCut: false },
      { text: 'ab', isCut: false },
    ]);
  });

  it('of just the greatest length come whole', () => {
    expect(readIn(Buffer.from('abcdefghij\n'), [])).toEqual([{ text: 'abcdefghij', isCut: false }]);
  });

  it('lose no text to a sequence that never ends', () => {
    const parts = linesOf(`a\x1b]0;${'x'.repeat(5_000)} end`, 10_000);
    expect(parts.join('')).toMatch(/^ax+ end$/);
  });

  it('are the same wherever the bytes were cut', () => {
    const pieces = oneof(
      string({ unit: 'grapheme' }).map((text) => Buffer.from(text)),
      uint8Array({ maxLength: 6 }).map((bytes) => Buffer.from(bytes)),
      constantFrom('\r', '\n', '\r\n', '\x1b[31m', '\x1b]0;t\x07', '\x1b]8;;u\x1b\\', '\x1b', '\u009b1m', '名前', 'x'.repeat(25)).map(
        (text) => Buffer.from(text),
      ),
    );
    assert(
      property(array(pieces, { maxLength: 30 }), array(nat({ max: 10_000 }), { maxLength: 40 }), (texts, cuts) => {
        const bytes = Buffer.concat(texts);
        const whole = readIn(bytes, []);
        expect(readIn(bytes, cuts)).toEqual(whole);
        expect(readIn(bytes, [...bytes.keys()])).toEqual(whole);
        for (const { text } of whole) {
          expect(text.length).toBeLessThanOrEqual(charsMax);
          expect(text).not.toMatch(/(?!\t)\p{Cc}/u);
        }
      }),
      { numRuns: 500 },
    );
  });
});
