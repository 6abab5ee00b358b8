import { assert, constantFrom, oneof, property, string, tuple } from 'fast-check';
import { cleanPersonText, personTextCharsMax, personTextCutMark } from '../../../src/domain/person-text';

it.each([
  ['a password', 'done with password=hunter2, thanks', 'done with password=[redacted], thanks'],
  ['a password that is told', 'the password is hunter2', 'the password is [redacted]'],
  ['a code that is told', 'Code is 481516.', 'Code is [redacted]'],
  ['a header', 'sent Authorization: Bearer abcdefghijkl', 'sent Authorization: Bearer [redacted]'],
  ['an e-mail address', 'ask zoe@applicant.example first', 'ask [e-mail] first'],
  ['user-info and parameters of an address', 'https://u:pw@v.test/x?token=1&n=2', 'https://[redacted]@v.test/x?token=[redacted]&n=2'],
  ['a fragment of an address', 'https://v.test/#access_token=abc', 'https://v.test/#access_token=[redacted]'],
  ['a secret that is split by what nobody sees', 'pass\u0000word=hunt\u202eer2', 'password=[redacted]'],
])('P8: takes %s out of what a person typed', (_what, typed, kept) => {
  expect(cleanPersonText(typed)).toBe(kept);
});

it.each(['The applicant has taken another offer', 'the token is expired', 'line one\nline\ttwo', 'naïve 名 😀', ''])(
  'leaves %j as it is',
  (text) => {
    expect(cleanPersonText(text)).toBe(text);
  },
);

it('takes out what Postgres and terminals do not take', () => {
  expect(cleanPersonText('closed\u0000 \u001b[31mred\u007f\u0085 half \ud83d, whole 😀')).toBe('closed [31mred half \ufffd, whole 😀');
});

it.each([
  ['words', 'word '.repeat(300_000)],
  ['one word', 'x'.repeat(1_500_000)],
  ['pairs of surrogates', '😀'.repeat(400_000)],
  ['secrets', 'token=abcdefgh '.repeat(100_000)],
])('cuts a megabyte of %s at the stated length, with a mark', (_what, text) => {
  const kept = cleanPersonText(text);
  expect(kept.length).toBeLessThanOrEqual(personTextCharsMax);
  expect(kept.length).toBeGreaterThan(personTextCharsMax - 60);
  expect(kept.endsWith(personTextCutMark)).toBe(true);
  expect(kept).not.toMatch(/abcdefgh|\p{Surrogate}/u);
});

it('keeps no part of a secret that the cut would have halved', () => {
  expect(cleanPersonText(`${'x '.repeat(240)}password=hunter2hunter2`)).not.toContain('hunt');
  expect(cleanPersonText(`${'token=abcdefgh'.repeat(2_000)} ghp_${'a'.repeat(30)}`)).not.toMatch(/abcdefgh|ghp_/);
});

it('does to a text once what it does to it twice, and never keeps more than it says', () => {
  const piece = oneof(
    string({ unit: 'binary', maxLength: 300 }),
    constantFrom(
      'password: ',
      'token is ',
      ' a@b.example',
      '?token=',
      '\ud800',
      '\u0000',
      'eyJhbGciOiJI.eyJhbGciOiJI',
      ' [redacted]',
      ' 1',
    ),
  );
  assert(
    property(tuple(piece, piece, piece, piece), (pieces) => {
      const kept = cleanPersonText(pieces.join(''));
      expect(kept.length).toBeLessThanOrEqual(personTextCharsMax);
      expect(kept).not.toMatch(/\p{Surrogate}/u);
      expect(kept).not.toContain('\u0000');
      expect(cleanPersonText(kept)).toBe(kept);
    }),
    { numRuns: 500 },
  );
});
