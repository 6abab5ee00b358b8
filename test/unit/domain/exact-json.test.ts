import * as fc from 'fast-check';
import { findJsonLosses } from '../../../src/domain/exact-json';

const lossesOf = (text: string): string[] => {
  JSON.parse(text);
  return findJsonLosses(text).map(({ path, message }) => `${path.join('.')}: ${message}`);
};

const changed = 'is a number that cannot be kept as it is: send it as a text';
const unstorable = 'contains a character that no text may hold (NUL or half a pair)';

it.each([
  ['{}'],
  ['[]'],
  ['"x"'],
  ['42'],
  ['null'],
  ['{"a": 0.1, "b": [1e3, 1E+3, 1.50, -0, 0.0, 1e-7, 9007199254740992, 100000000000000000000, 1.7976931348623157e308, 5e-324]}'],
  ['{"constructor": 1, "toString": 2, "prototype": {"a": 3}, "": 4}'],
  ['{"a": {"x": 1}, "b": {"x": 1}, "c": [{"x": 1}, {"x": 1}]}'],
  [String.raw`{"a\"b": "c\\", "d": "\ud83d\ude00 \u00e4 :,{}[]"}`],
  [' { "a" : "b" , "c" : [ true , false , null ] } '],
])('%s is kept as it is', (text) => {
  expect(lossesOf(text)).toEqual([]);
});

it.each([
  ['{"id": 1546130668394913823}', [`id: ${changed}`]],
  ['{"a": [1, {"b": 9007199254740993}]}', [`a.1.b: ${changed}`]],
  ['{"a": 1e400, "b": -1e400, "c": 1e-400}', [`a: ${changed}`, `b: ${changed}`, `c: ${changed}`]],
  ['{"a": 3.14159265358979323846}', [`a: ${changed}`]],
  [`{"a": 1${'0'.repeat(200)}}`, [`a: ${changed}`]],
  ['12345678901234567890', [`: ${changed}`]],
  ['{"__proto__": {"a": 1}}', ['__proto__: is a name that no field may have']],
  [String.raw`{"a": {"\u005f_proto__": 1}}`, ['a.__proto__: is a name that no field may have']],
  ['{"a": 1, "b": 2, "a": 1}', ['a: is there twice']],
  [String.raw`{"x": [{"a": 1, "\u0061": 2}]}`, ['x.0.a: is there twice']],
  [String.raw`{"a": "\u0000"}`, [`a: ${unstorable}`]],
  [String.raw`{"a": ["x", "\ud800"]}`, [`a.1: ${unstorable}`]],
  [String.raw`{"a": {"\udc00": 1}}`, ['a: has a field name with a character that no text may hold']],
])('%s would be changed, and the field is named', (text, losses) => {
  expect(lossesOf(text)).toEqual(losses);
});

it('bounds what it says of a text that goes deep or is wrong everywhere', () => {
  expect(lossesOf(`${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`)).toEqual(['a.a.a.a.a: is nested deeper than 32 levels']);
  expect(lossesOf(`[${many('1e400')}]`)).toHaveLength(50);
});

it('names no more of the way to what is far below than a reader can use, also when there is much of it', () => {
  const paths = findJsonLosses(`${'['.repeat(50_000)}${many('1e400')}${']'.repeat(50_000)}`).map(({ path }) => path.length);
  expect(Math.max(...paths)).toBe(32);
});

it('finds what a field that is kept would lose behind any number of losses in one that is dropped', () => {
  const text = `{"dropped": [${many('1e400')}], "kept": {"id": 1546130668394913823}}`;
  expect(findJsonLosses(text, (field) => field === 'kept')).toEqual([{ path: ['kept', 'id'], message: changed }]);
});

function many(value: string): string {
  return Array.from({ length: 10_000 }, () => value).join(',');
}

/** Whatever JavaScript writes itself, it reads back the same. */
it('finds nothing in what JSON.stringify has made of plain values', () => {
  const values = fc.jsonValue({ maxDepth: 4 }).filter((value) => !/__proto__|\\u0000|\\ud[89a-f]/i.test(JSON.stringify(value)));
  fc.assert(fc.property(values, fc.nat(4), (value, indent) => expect(lossesOf(JSON.stringify(value, null, indent))).toEqual([])));
});

/** By whole numbers of any size, which lose nothing. */
it('takes a decimal exactly where the nearest double stands for it', () => {
  const decimals = fc.tuple(fc.bigInt({ min: -(10n ** 22n), max: 10n ** 22n }), fc.integer({ min: 0, max: 12 }));
  fc.assert(
    fc.property(decimals, ([digits, places]) => {
      const text = `${digits}e${-places}`;
      const [mantissa = '', exponent = '0'] = String(Number(text)).split('e');
      const [whole = '', fraction = ''] = mantissa.split('.');
      const [read, readPlaces] = [BigInt(whole + fraction), fraction.length - Number(exponent)];
      const most = Math.max(places, readPlaces);
      const isSame = digits * 10n ** BigInt(most - places) === read * 10n ** BigInt(most - readPlaces);
      expect(lossesOf(text).length === 0).toBe(isSame);
    }),
  );
});
