import { wholeNumberSchema } from '../../../src/gateway/schemas/values';

it.each([0, 30, 200, Number.MAX_SAFE_INTEGER])(
  'a number of a query is taken up to the maximum that the document states, %d, and no further',
  (most) => {
    const schema = wholeNumberSchema({ least: 0, most });
    expect(schema.safeParse(String(most))).toMatchObject({ success: true, data: most });
    for (const beyond of [BigInt(most) + 1n, BigInt(most) + 2n, 10n ** 16n]) expect(schema.safeParse(String(beyond)).success).toBe(false);
  },
);
