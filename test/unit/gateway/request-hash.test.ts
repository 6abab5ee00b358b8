import * as fc from 'fast-check';
import { makeRequestHash } from '../../../src/gateway/request-hash';

it('is the same for any order of fields, at every depth', () => {
  expect(makeRequestHash({ a: 1, b: { c: [1, { x: 1, y: 2 }], d: null } })).toBe(
    makeRequestHash({ b: { d: null, c: [1, { y: 2, x: 1 }] }, a: 1 }),
  );
});

it.each([
  [{ a: 1 }, { a: '1' }],
  [{ a: [1, 2] }, { a: [2, 1] }],
  [{ a: { b: 1 } }, { a: [['b', 1]] }],
  [{ a: null }, {}],
  [
    { 2: 'x', 1: 'y' },
    { 2: 'y', 1: 'x' },
  ],
])('tells %j from %j', (one, other) => {
  expect(makeRequestHash(one)).not.toBe(makeRequestHash(other));
});

it('does not see a field that is undefined, as JSON does not', () => {
  expect(makeRequestHash({ a: 1, b: undefined })).toBe(makeRequestHash({ a: 1 }));
});

it('tells any two values apart that JSON tells apart', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (one, other) => {
      expect(makeRequestHash({ one }) === makeRequestHash({ one: other })).toBe(
        JSON.stringify(sortKeys(one)) === JSON.stringify(sortKeys(other)),
      );
    }),
  );
});

const sortKeys = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (typeof value !== 'object' || value === null) return value;
  const pairs = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return [{ isObject: true }, ...pairs.map(([name, item]) => [name, sortKeys(item)])];
};
