import { inspect } from 'node:util';
import { assert, constantFrom, oneof, property, string, tuple } from 'fast-check';
import { stringify } from 'yaml';
import { createLineRedact } from '../../../src/domain/line-redact';
import { createRedact } from '../../../src/domain/redact';
import { sensitive } from '../../../src/domain/sensitive';

type Spell = (text: string) => string;

const bytesOf = (text: string): string[] => Array.from(Buffer.from(text), (byte) => byte.toString(16).padStart(2, '0'));
const unitsOf = (text: string): number[] => Array.from({ length: text.length }, (_, at) => text.charCodeAt(at));
const charactersOf = (text: string): number[] => Array.from(text, (character) => character.codePointAt(0) ?? 0);
const wordsOf = (text: string): string[] =>
  bytesOf(text).flatMap((byte, n, bytes) => (n % 2 === 0 ? [`${bytes[n + 1] ?? '00'}${byte}`] : []));
const toBase32 = (text: string): string => {
  const bits = Array.from(Buffer.from(text), (byte) => byte.toString(2).padStart(8, '0')).join('');
  return (bits.match(/.{1,5}/g) ?? []).map((five) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'[parseInt(five.padEnd(5, '0'), 2)]).join('');
};
/** As `xxd` and `hexdump -C` print a file: where it is, in hex, in letters. */
const dumpOf = (text: string, { columns, separator, frame }: { columns: string; separator: string; frame: string }): string[] =>
  Array.from({ length: Math.ceil(Buffer.byteLength(text) / 16) }, (_, n) => {
    const bytes = Buffer.from(text).subarray(n * 16, n * 16 + 16);
    const hex = (bytes.toString('hex').match(new RegExp(`.{1,${columns.length}}`, 'g')) ?? []).join(' ');
    const letters = bytes.toString('latin1').replace(/[^ -~]/g, '.');
    return `${(n * 16).toString(16).padStart(8, '0')}${separator}${hex.padEnd(40)}  ${frame}${letters}${frame}`;
  });
const htmlNames: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
  '/': '&sol;',
  '=': '&equals;',
  é: '&eacute;',
};

/** The package folds in the middle of a surrogate pair. */
const foldAt = (text: string): number => (/[\u{10000}-\u{10FFFF}]/u.test(text) ? 0 : 20);

/** What tools print of a text. Each is the tool itself where Node has it. */
const spellings: Record<string, Spell> = {
  'as it is': (text) => text,
  base64: (text) => Buffer.from(text).toString('base64'),
  'base64 for URLs': (text) => Buffer.from(text).toString('base64url'),
  'base64 of something longer': (text) => Buffer.from(`user:${text}@host`).toString('base64'),
  'base64 of base64': (text) => Buffer.from(Buffer.from(text).toString('base64')).toString('base64'),
  'base64 of JSON': (text) => Buffer.from(JSON.stringify({ v: text })).toString('base64'),
  base32: (text) => toBase32(`user:${text}@host`),
  hex: (text) => bytesOf(text).join(''),
  'hex in words (od -x)': (text) => wordsOf(`.${text}.`).join(' '),
  'hex in capitals': (text) => bytesOf(text).join('').toUpperCase(),
  'hex with colons': (text) => bytesOf(text).join(':'),
  'hex in pairs (xxd)': (text) =>
    bytesOf(text)
      .map((byte, n) => (n % 2 === 1 ? `${byte} ` : byte))
      .join(''),
  'hex as \\x': (text) =>
    bytesOf(text)
      .map((byte) => `\\x${byte}`)
      .join(''),
  'hex as a list': (text) =>
    bytesOf(text)
      .map((byte) => `0x${byte.toUpperCase()}`)
      .join(', '),
  'a list of bytes': (text) => JSON.stringify(Buffer.from(text)),
  'an array of bytes': (text) => inspect(new Uint8Array(Buffer.from(text)), { breakLength: Infinity, maxArrayLength: null }),
  'octal as \\ooo': (text) => Array.from(Buffer.from(text), (byte) => `\\${byte.toString(8).padStart(3, '0')}`).join(''),
  'octal bytes (od -to1)': (text) => Array.from(Buffer.from(text), (byte) => byte.toString(8).padStart(3, '0')).join(' '),
  'octal words (od)': (text) =>
    wordsOf(`.${text}.`)
      .map((word) => parseInt(word, 16).toString(8).padStart(6, '0'))
      .join(' '),
  'HTML in decimals': (text) =>
    charactersOf(text)
      .map((code) => `&#${code};`)
      .join(''),
  'HTML in hex': (text) =>
    charactersOf(text)
      .map((code) => `&#x${code.toString(16)};`)
      .join(''),
  'HTML in hex with zeros': (text) =>
    unitsOf(text)
      .map((code) => `&#X${code.toString(16).toUpperCase().padStart(4, '0')};`)
      .join(''),
  'HTML by names': (text) => text.replace(/[&<>"'/=é]/g, (character) => htmlNames[character] ?? character),
  'a part of a URL': (text) => encodeURIComponent(text),
  'a part of a URL, in small letters': (text) => encodeURIComponent(text).replace(/%../g, (code) => code.toLowerCase()),
  'a part of a URL, all of it': (text) =>
    bytesOf(text)
      .map((byte) => `%${byte.toUpperCase()}`)
      .join(''),
  'a form': (text) => new URLSearchParams({ v: text }).toString().slice(2),
  'escape()': (text) => (globalThis as unknown as { escape: Spell }).escape(text),
  JSON: (text) => JSON.stringify(text),
  'JSON in ASCII': (text) =>
    `"${unitsOf(text)
      .map((code) => `\\u${code.toString(16).padStart(4, '0')}`)
      .join('')}"`,
  'inspect of Node': (text) => inspect(text),
  'inspect of an object': (text) => inspect({ value: [text] }, { breakLength: Infinity, maxStringLength: null }),
  'a literal of C': (text) =>
    `"${bytesOf(text)
      .map((byte) => `\\x${byte}`)
      .join('""')}"`,
  'inspect of Ruby': (text) =>
    `"${JSON.stringify(text)
      .slice(1, -1)
      .replaceAll('\\b', '\\b')
      .replace(/#(?=[{$@])/g, '\\#')}"`,
  'braces of Rust and Ruby': (text) =>
    charactersOf(text)
      .map((code) => `\\u{${code.toString(16)}}`)
      .join(''),
  'single quotes of a shell': (text) => `'${text.replaceAll("'", String.raw`'\''`)}'`,
  'quotes in quotes of a shell': (text) => `'${text.replaceAll("'", `'"'"'`)}'`,
  'Shellwords of Ruby': (text) => text.replace(/[^\p{L}\p{N}_\-.,:+/@\n]/gu, String.raw`\$&`).replaceAll('\n', "'\n'"),
  'YAML in double quotes': (text) => stringify(text, { defaultStringType: 'QUOTE_DOUBLE', lineWidth: foldAt(text) }),
  'YAML in single quotes': (text) => stringify(text, { defaultStringType: 'QUOTE_SINGLE', lineWidth: foldAt(text) }),
  'YAML, folded': (text) => stringify({ key: text }, { defaultStringType: 'BLOCK_FOLDED', lineWidth: foldAt(text) }),
  'YAML, plain': (text) => stringify({ key: text }, { lineWidth: foldAt(text) }),
  'a field of CSV': (text) => `"${text.replaceAll('"', '""')}"`,
};
const doubled: Record<string, Spell> = Object.fromEntries(
  [
    ['a part of a URL', 'a part of a URL'],
    ['JSON', 'JSON'],
    ['JSON', 'a part of a URL'],
    ['HTML by names', 'JSON'],
    ['JSON', 'HTML in decimals'],
    ['a part of a URL', 'single quotes of a shell'],
    ['base64', 'a part of a URL'],
    ['base64', 'JSON'],
    ['hex', 'HTML in hex'],
    ['JSON', 'single quotes of a shell'],
    ['inspect of Node', 'JSON'],
    ['YAML in double quotes', 'JSON'],
  ].map(([inner = '', outer = '']) => [
    `${inner}, then ${outer}`,
    (text: string) => spellings[outer]?.(spellings[inner]?.(text) ?? '') ?? '',
  ]),
);
const all = Object.entries({ ...spellings, ...doubled });

const letters = string({
  unit: constantFrom(...Array.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789')),
  minLength: 4,
  maxLength: 30,
});
const special = string({ unit: constantFrom(...Array.from('%&"\'\\$#@!=+/<>;:{}[]()*?~^|`, .-_é名😀')), minLength: 0, maxLength: 10 });
const secretText = oneof(
  tuple(letters, special, letters, special).map((parts) => parts.join('')),
  tuple(special, letters, special, letters).map((parts) => parts.join('')),
  string({ unit: 'grapheme', minLength: 10, maxLength: 40 }).filter(
    (text) => text.trim().length >= 8 && /\w.*\w.*\w.*\w.*\w.*\w/.test(text),
  ),
).filter((text) => text.trim() === text && text.length >= 8);

/** What is left of the spelling between the marks: the border may keep a quote, a bracket or a part of one byte. */
const leftOf = (shown: string): string => /<<([\s\S]*)>>/.exec(shown)?.[1]?.replaceAll('[redacted]', '') ?? 'the marks are gone';

/** As the deployer's log reads an output: line by line. */
const readLines = (lines: readonly string[], secrets: readonly string[]): string[] => {
  const redact = createLineRedact({ secrets: secrets.map(sensitive) });
  return [...lines.flatMap((text) => redact.add({ text, isCut: false })), ...redact.end()];
};

const wrap = (text: string, columns: number): string[] => text.match(new RegExp(`.{1,${columns}}`, 'gs')) ?? [];

describe('a known secret', () => {
  it.each(all)('P8: is hidden as %s', (_name, spell) => {
    assert(
      property(secretText, (secret) => {
        const spelled = spell(secret);
        const shown = createRedact([sensitive(secret)])(`<<${spelled}>>`);
        expect(shown).toContain('[redacted]');
        expect(shown).not.toContain(secret);
        const around = spell('').length + 12;
        expect(leftOf(shown).length).toBeLessThanOrEqual(around);
      }),
      { numRuns: 30 },
    );
  });
});

describe('a known secret that is wrapped over lines', () => {
  const columns = constantFrom(76, 64, 60, 57, 20, 8, 5, 4, 3, 2);
  const before = string({ unit: constantFrom(...Array.from('.,~() \n')), maxLength: 200 });
  const prefixes = constantFrom('', '  ', ' DEBUG [1a2b3c4d] \t', 'web-1  | ', '> ', '2026-07-01T12:00:00Z stdout: ');
  const encoders = constantFrom<Spell>(
    (text) => Buffer.from(text).toString('base64'),
    (text) => Buffer.from(text).toString('hex'),
    (text) => Buffer.from(text).toString('hex').toUpperCase(),
    (text) => bytesOf(text).join(' '),
    (text) => encodeURIComponent(text),
  );

  it('P8: shows nothing of it that tells, at whatever column, offset and prefix, in as many lines', () => {
    assert(
      property(
        letters.filter((text) => text.length >= 12),
        before,
        before,
        encoders,
        columns,
        prefixes,
        (secret, head, tail, encode, width, prefix) => {
          const spelled = wrap(encode(`${head}${secret}${tail}`), width);
          const lines = ['first line', ...spelled.map((line) => `${prefix}${line}`), 'last line'];
          const shown = readLines(lines, [secret]);
          expect(shown).toHaveLength(lines.length);
          expect([shown[0], shown.at(-1)]).toEqual(['first line', 'last line']);
          // Whatever is kept of each line is a part of it; put together it decodes to no part of the secret.
          const kept = shown.slice(1, -1).map((line) => line.slice(prefix.length));
          const joined = kept.join('').replaceAll('[redacted]', '!').replaceAll(' ', '');
          for (const whole of [encode(secret).replaceAll(' ', ''), Buffer.from(secret).toString('base64'), secret])
            for (let at = 0; at + 8 <= whole.length; at++) expect(joined).not.toContain(whole.slice(at, at + 8));
        },
      ),
      { numRuns: 200 },
    );
  });

  it('leaves lines alone that only begin as a secret does, and gives each back in its place', () => {
    const secret = 'postgres://fleet:hunter2hunter2@db.internal:5432/fleet';
    const lines = ['pulling postgres', 'it is up', 'see postgres:', '', 'postgres://f', 'end'];
    expect(readLines(lines, [secret])).toEqual(lines);
    const redact = createLineRedact({ secrets: [sensitive(secret)] });
    expect(redact.add({ text: 'pulling postgres', isCut: false })).toEqual([]);
    expect(redact.add({ text: 'it is up', isCut: false })).toEqual(['pulling postgres', 'it is up']);
  });

  it.each([
    ['xxd', { columns: 'xxxx', separator: ': ', frame: '' }],
    ['hexdump -C', { columns: 'xx', separator: '  ', frame: '|' }],
  ])('P8: shows nothing of it that tells in the columns of %s, line by line and as a whole', (_name, format) => {
    const lengths = constantFrom(...Array.from({ length: 20 }, (_, n) => n));
    assert(
      property(
        letters.filter((text) => text.length >= 10),
        lengths,
        lengths,
        (secret, ahead, behind) => {
          const lines = dumpOf(`${'.'.repeat(ahead)}${secret}${'.'.repeat(behind)}`, format);
          const hex = Buffer.from(secret).toString('hex');
          const byLine = readLines(lines, [secret]).join('\n');
          for (const shown of [byLine, createRedact([sensitive(secret)])(lines.join('\n'))]) {
            const joined = shown.replaceAll('[redacted]', '!').replace(/[ \n]/g, '');
            for (let at = 0; at + 8 <= hex.length; at += 2) expect(joined).not.toContain(hex.slice(at, at + 8));
          }
          for (let at = 0; at + 6 <= secret.length; at++) expect(byLine).not.toContain(secret.slice(at, at + 6));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('hides a passphrase that YAML folds at its spaces', () => {
    const secret = 'correct horse battery staple and some more words of it';
    const lines = stringify({ key: secret }, { defaultStringType: 'QUOTE_DOUBLE', lineWidth: 24 }).trim().split('\n');
    expect(lines.length).toBeGreaterThan(2);
    const shown = readLines(lines, [secret]).join(' ');
    const long = secret.split(' ').filter((word) => word.length > 3);
    expect(long.filter((word) => shown.includes(word))).toEqual([]);
  });

  it('hides it where the lines of other hosts come between', () => {
    const secret = 'a-long-secret-of-one-host-that-is-wrapped-by-base64-at-76-columns-or-so-it-goes-on-and-on';
    const [first = '', second = ''] = wrap(Buffer.from(secret).toString('base64'), 76);
    const lines = [` DEBUG [aaaa] ${first}`, ' DEBUG [bbbb] done', ' DEBUG [cccc] q', ` DEBUG [aaaa] ${second}`];
    expect(readLines(lines, [secret])).toEqual([
      ' DEBUG [aaaa] [redacted]',
      ' DEBUG [bbbb] done',
      ' DEBUG [cccc] q',
      // The last of six bits are no part of it.
      ' DEBUG [aaaa] [redacted]4=',
    ]);
  });
});

describe('the time that it takes', () => {
  const secrets = Array.from({ length: 30 }, (_, n) => `secret-${n}-${'correct-horse'.repeat(1 + (n % 3))}`);
  /** Of the processor: a busy machine changes nothing about it. */
  const measureMs = (work: () => unknown): number => {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1_000;
  };

  it('grows with the lines, and not faster', () => {
    const lines = (count: number): string[] =>
      Array.from({ length: count }, (_, n) =>
        n % 3 === 0
          ? `  INFO [${n.toString(16)}] Running docker container ls --filter name=web-${n}`
          : n % 3 === 1
            ? JSON.stringify({ at: encodeURIComponent(`a b/c?${n}`), said: JSON.stringify({ n }) })
            : Buffer.from(`line ${n} of something that was encoded`).toString('base64'),
      );
    readLines(lines(500), secrets);
    const few = measureMs(() => readLines(lines(750), secrets));
    const many = measureMs(() => readLines(lines(6_000), secrets));
    expect(many).toBeLessThan(few * 8 * 3);
  });

  it('is no longer for a text that is made to be slow', () => {
    const unkind = [
      '%',
      '%25',
      '&',
      '&#',
      '&amp;',
      '\\',
      '\\u00',
      '\\x',
      '0x',
      ',1',
      'secret-',
      'secret-1-correct-hors',
      Buffer.from(secrets[0] ?? '')
        .toString('base64')
        .slice(0, -3),
    ];
    const redact = createRedact(secrets.map(sensitive));
    const kind = measureMs(() => redact('some words of a line '.repeat(2_500)));
    for (const part of unkind) {
      const text = part.repeat(Math.ceil(50_000 / part.length));
      // A quadratic search of 50,000 characters would take thousands of times as long.
      expect(measureMs(() => redact(text))).toBeLessThan(Math.max(kind, 5) * 60);
    }
  });
});
