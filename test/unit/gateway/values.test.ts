import * as fc from 'fast-check';
import { emailSchema, wholeNumberSchema } from '../../../src/gateway/schemas/values';

it.each([0, 30, 200, Number.MAX_SAFE_INTEGER])(
  'a number of a query is taken up to the maximum that the document states, %d, and no further',
  (most) => {
    const schema = wholeNumberSchema({ least: 0, most });
    expect(schema.safeParse(String(most))).toMatchObject({ success: true, data: most });
    for (const beyond of [BigInt(most) + 1n, BigInt(most) + 2n, 10n ** 16n]) expect(schema.safeParse(String(beyond)).success).toBe(false);
  },
);

it('an e-mail address is taken exactly where it matches the pattern that the document shows', () => {
  const shown = new RegExp(String(emailSchema.meta()?.pattern));
  const nearly = fc.array(fc.constantFrom('a', 'Z', '0', '.', '-', '_', '+', "'", '}', '@', 'b.co', 'x@y.org', ' ', 'ä'), { maxLength: 9 });
  let taken = 0;
  fc.assert(
    fc.property(nearly, (parts) => {
      const text = parts.join('');
      const isTaken = emailSchema.safeParse(text).success;
      taken += Number(isTaken);
      expect({ text, isTaken: shown.test(text) }).toEqual({ text, isTaken });
    }),
    { numRuns: 5_000 },
  );
  expect(taken).toBeGreaterThan(20);
});
