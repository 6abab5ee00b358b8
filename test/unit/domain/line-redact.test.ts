import { array, assert, constantFrom, integer, nat, oneof, property, record, string, type Arbitrary } from 'fast-check';
import { createLineRedact, cutMark, skipMark, type LinePart } from '../../../src/domain/line-redact';
import { sensitive } from '../../../src/domain/sensitive';
import { createLines } from '../../../src/process/lines';

const secret = 'CORRECT-HORSE/BATTERY+STAPLE';

interface Reading {
  secrets?: readonly string[];
  charsMax?: number;
  heldCharsMin?: number;
  cuts?: readonly number[];
}

/** As the deployer reads Kamal: bytes in pieces, made into lines, then redacted. */
const read = (text: string, { secrets = [secret], charsMax = 1_000, heldCharsMin, cuts = [] }: Reading = {}): string[] => {
  const bytes = Buffer.from(text);
  const lines = createLines({ charsMax });
  const redact = createLineRedact({ secrets: secrets.map(sensitive), heldCharsMin });
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length];
  const show = (parts: readonly LinePart[]): string[] => parts.flatMap((part) => redact.add(part));
  return [...places.slice(1).flatMap((end, n) => show(lines.add(bytes.subarray(places[n], end)))), ...show(lines.end()), ...redact.end()];
};

const block = (name: string): string =>
  `-----BEGIN ${name}PRIVATE KEY-----\n${'b3BlbnNzaC1rZXktdjEA\n'.repeat(20)}-----END ${name}PRIVATE KEY-----`;

describe('a line', () => {
  it('is given back at once, without its secrets', () => {
    const redact = createLineRedact({ secrets: [sensitive(secret)] });
    expect(redact.add({ text: `login ${secret} ok`, isCut: false })).toEqual(['login [redacted] ok']);
    expect(redact.end()).toEqual([]);
  });

  it('that is too long comes in marked parts, which are the whole', () => {
    const text = Array.from({ length: 5_000 }, (_, n) => `word${n}`).join(' ');
    const shown = read(`${text}\nnext\n`);
    expect(shown.length).toBeGreaterThan(10);
    expect(shown.at(-1)).toBe('next');
    expect(shown.slice(0, -2).every((part) => part.endsWith(cutMark))).toBe(true);
    expect(shown.slice(0, -1).join('').replaceAll(cutMark, '')).toBe(text);
  });

  it('of megabytes without any place to cut is no reason to remember it', () => {
    const redact = createLineRedact({ secrets: [] });
    const shown = [`token=${'x'.repeat(16_000)}`, ...Array.from({ length: 200 }, () => 'x'.repeat(16_000))].flatMap((text) =>
      redact.add({ text, isCut: true }),
    );
    expect(shown).toEqual([`token=[redacted]${skipMark}`]);
    expect(redact.add({ text: 'x', isCut: false })).toEqual([]);
    expect(redact.add({ text: 'next', isCut: false })).toEqual(['next']);
  });
});

describe('the block of a private key', () => {
  it.each(['', 'RSA ', 'OPENSSH ', 'ENCRYPTED '])('"%s" is hidden over its lines, and what follows is shown', (name) => {
    expect(read(`a\nkey: ${block(name)}\nb\n`)).toEqual(['a', 'key: [redacted]', 'b']);
  });

  it('may have a prefix on each line', () => {
    const prefixed = block('RSA ').replaceAll(/^/gm, ' DEBUG [1a2b3c4d] \t');
    expect(read(`${prefixed}\nb\n`)).toEqual([' DEBUG [1a2b3c4d] \t[redacted]', 'b']);
  });

  it('may begin again on the line on which the last one ends', () => {
    expect(read(`${block('RSA ')} and ${block('')} end\nb\n`)).toEqual(['[redacted]', ' and [redacted]', ' end', 'b']);
  });

  it('on one long line is hidden as a whole', () => {
    const line = block('')
      .replaceAll('\n', String.raw`\n`)
      .replace('b3Blb', 'b3Blb'.repeat(5_000));
    const shown = read(`"${line}" after\nb\n`);
    expect(shown.join('\n')).not.toMatch(/b3Blb|zaC1r/);
    expect(shown.at(-2)).toMatch(/after$/);
    expect(shown.at(-1)).toBe('b');
  });

  it('without an end hides no more than the longest key', () => {
    const shown = read(`-----BEGIN PRIVATE KEY-----\n${'abc\n'.repeat(300)}end\n`);
    expect(shown[0]).toBe('[redacted]');
    expect(shown.at(-1)).toBe('end');
    expect(shown.length).toBeLessThan(60);
  });
});

describe('a secret of several lines', () => {
  it('is hidden line by line', () => {
    const value = 'first line of it\nsecond line of it\n';
    expect(read(`a\n${value}b\n  second line of it!\n`, { secrets: [value] })).toEqual([
      'a',
      '[redacted]',
      '[redacted]',
      'b',
      '  [redacted]!',
    ]);
  });
});

const formsOf = (value: string): string[] => [
  value,
  encodeURIComponent(value),
  JSON.stringify(value).slice(1, -1),
  Buffer.from(value).toString('base64').replaceAll('=', ''),
  Buffer.from(value).toString('hex').toUpperCase(),
];

it('takes the last zero of a value in hex for no prefix of what follows', () => {
  expect(read('4141414141414140xyz\n', { secrets: ['AAAAAAA@'] })).toEqual(['[redacted]xyz']);
});

it('takes the end of one value and the beginning of the next for no escape', () => {
  expect(read('AAAAAW%AAAAAAW%25AAAAAAW%A\n', { secrets: ['AAAAAW%A'] })).toEqual(['[redacted][redacted][redacted]']);
});

it('takes the percent sign of an escape for no end of a value that the view without quotes has shorter', () => {
  for (const value of ['AAAAAA%$', 'AAAAAA%"', 'AAAAAA"%', 'AAA"AAA%', "AAAAAA%' '", 'AAAAAA\\$', 'AAAAAA&$'])
    expect(read(`${encodeURIComponent(value)}\n${encodeURIComponent(encodeURIComponent(value))}\n`, { secrets: [value] })).toEqual([
      '[redacted]',
      '[redacted]',
    ]);
});

it('hides a whole value on a long line also where a line before seems to have begun it', () => {
  const value = '1"AAAAAAA';
  const shown = read(`${Buffer.from(value).toString('hex')}\n${JSON.stringify(value)}${'é名'.repeat(60)}\n`, {
    secrets: [value],
    charsMax: 8,
    heldCharsMin: 1,
  });
  expect(shown.join('\n')).not.toMatch(/[1A]/);
});

describe('whatever the bytes were cut by', () => {
  const capital: Arbitrary<string> = constantFrom(...Array.from('ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/%&"\'\\$#@!=é'));
  const secretText = string({ unit: capital, minLength: 8, maxLength: 40 });
  const filler = oneof(
    string({ unit: constantFrom(...Array.from('abc xyz.,\n')), maxLength: 60 }),
    constantFrom('\r\n', '\x1b[31m', 'é名'.repeat(30)),
  );

  it('P8: no more than a character or two of a secret is shown, in any of its forms', () => {
    assert(
      property(
        record({
          value: secretText,
          pieces: array(record({ before: filler, form: nat(), after: filler }), { minLength: 1, maxLength: 12 }),
        }),
        array(nat({ max: 10_000 }), { maxLength: 20 }),
        integer({ min: 8, max: 200 }),
        ({ value, pieces }, cuts, charsMax) => {
          const forms = formsOf(value);
          const text = pieces.map(({ before, form, after }) => before + (forms[form % forms.length] ?? '') + after).join('');
          const shown = read(text, { secrets: [value], charsMax, heldCharsMin: 1, cuts });
          const capitals = shown.join('\n').replaceAll('[redacted]', ' ').replaceAll(cutMark, ' ').replaceAll(skipMark, ' ');
          expect(capitals).not.toMatch(/[A-Z0-9+/%&"'\\$#@!=]{3}/);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('P8: nothing of a secret inside of longer base64 is shown', () => {
    assert(
      property(
        secretText,
        string({ maxLength: 40 }),
        string({ maxLength: 40 }),
        array(nat(), { maxLength: 10 }),
        (value, before, after, cuts) => {
          const encoded = Buffer.from(before + value + after).toString('base64');
          const [shown = ''] = read(`data ${encoded}\n`, { secrets: [value], cuts });
          const [left = '', right = ''] = shown.slice('data '.length).split('[redacted]');
          // What is left decodes to what surrounds the secret and at most a part of its first or last byte.
          expect(Buffer.byteLength(before) - Buffer.from(left, 'base64').length).toBeGreaterThanOrEqual(-1);
          expect(right.length).toBeLessThanOrEqual(Math.ceil((Buffer.byteLength(after) * 4) / 3) + 4);
          expect(shown).toContain('[redacted]');
        },
      ),
    );
  });

  it('the lines are the same', () => {
    assert(
      property(
        array(oneof(filler, constantFrom(secret, block('RSA '), 'password: abc ', 'x'.repeat(300))), { maxLength: 12 }),
        array(nat(), { maxLength: 30 }),
        (pieces, cuts) => {
          const text = pieces.join('');
          expect(read(text, { charsMax: 50, heldCharsMin: 100, cuts })).toEqual(read(text, { charsMax: 50, heldCharsMin: 100 }));
        },
      ),
    );
  });
});
