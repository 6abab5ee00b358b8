import { createRedact } from '../../../src/domain/redact';
import { sensitive } from '../../../src/domain/sensitive';
import { createOutputTail } from '../../../src/process/output-tail';

const secret = 'correct-horse-battery-staple';
const redact = createRedact([sensitive(secret)]);

const tailOf = (text: string, bytesMax: number, chunkBytes = 1_000): string => {
  const tail = createOutputTail({ bytesMax });
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += chunkBytes) tail.add(bytes.subarray(at, at + chunkBytes));
  return tail.read(redact);
};

it('keeps everything up to the limit', () => {
  expect(tailOf('a\nb\n', 4)).toBe('a\nb\n');
});

it('keeps whole lines of the end beyond it, and says so', () => {
  expect(tailOf('one\ntwo\nthree\n', 10, 3)).toBe('[earlier output left out]\nthree\n');
});

it('keeps characters whole that arrive in pieces', () => {
  expect(tailOf('żółć', 100, 1)).toBe('żółć');
});

it('shows no half of a secret, wherever the cut falls', () => {
  const text = `${secret} `.repeat(1_000);
  const pieces = Array.from({ length: secret.length - 3 }, (_, at) => secret.slice(at, at + 4));
  for (let bytesMax = 16_000; bytesMax <= 16_000 + secret.length; bytesMax++) {
    const shown = tailOf(text, bytesMax);
    expect(shown).toContain('[redacted]');
    expect(pieces.filter((piece) => shown.includes(piece))).toEqual([]);
  }
});

it('shows nothing of a key block whose beginning was cut off', () => {
  const block = `-----BEGIN OPENSSH PRIVATE KEY-----\n${'b3BlbnNzaC1rZXktdjEA\n'.repeat(100)}-----END OPENSSH PRIVATE KEY-----\nafter\n`;
  expect(tailOf(block, 500)).toBe('[earlier output left out]\n\nafter\n');
});

it('holds a flood of single bytes in bounded memory', () => {
  const tail = createOutputTail({ bytesMax: 100 });
  for (let n = 0; n < 100_000; n++) tail.add(Buffer.from(n % 50 === 49 ? '\n' : 'x'));
  expect(tail.read(redact)).toBe(`[earlier output left out]\n${'x'.repeat(49)}\n`);
});
