import * as fc from 'fast-check';
import { withoutPageSecrets, withoutUrlSecrets, withoutUrlSecretsDeep } from '../../../src/domain/url-secrets';

it.each([
  ['https://v.test/hook?token=s', 'https://v.test/hook'],
  ['https://v.test/hook?a=1&token=s&b=2', 'https://v.test/hook?a=1&b=2'],
  ['https://v.test/hook?Access-Token=s', 'https://v.test/hook'],
  ['https://v.test/hook?api%5Fkey=s&q=x', 'https://v.test/hook?q=x'],
  ['https://v.test/hook?SECRET=s&secret=t', 'https://v.test/hook'],
  ['https://v.test/hook?X-Amz-Signature=s&X-Amz-Credential=c&X-Amz-Date=d', 'https://v.test/hook?X-Amz-Date=d'],
  ['https://user:pw@v.test/hook', 'https://v.test/hook'],
  ['https://v.test/hook#access_token=s', 'https://v.test/hook'],
  ['https://v.test/hook?key&x', 'https://v.test/hook?x'],
  ['https://v.test/hook?password=s#part', 'https://v.test/hook#part'],
  ['https://v.test/back?code=s&state=t&session=u', 'https://v.test/back?state=t'],
  ['https://v.test/#/login?token=s', 'https://v.test/'],
])('takes what is secret out of %s', (given, kept) => {
  expect(withoutUrlSecrets(given)).toBe(kept);
});

it.each(['https://v.test', 'https://v.test/hook?a=1%20x&b=%zz&keyboard=1&monkey=2', 'https://v.test/#part', 'no url at all', ''])(
  'leaves %s as it came, letter by letter',
  (text) => {
    expect(withoutUrlSecrets(text)).toBe(text);
  },
);

it('takes the value of a secret parameter out wherever it stands', () => {
  const secret = 'ThisIsTheSecret';
  const names = fc.constantFrom('token', 'Secret', 'api_key', 'X-Signature', 'pwd', 'AUTH');
  const others = fc.array(fc.tuple(fc.stringMatching(/^[a-z]{1,3}$/), fc.stringMatching(/^[\w%]{0,5}$/)), { maxLength: 4 });
  fc.assert(
    fc.property(names, others, others, (name, before, after) => {
      const search = [...before, [name, secret], ...after].map((pair) => pair.join('=')).join('&');
      expect(withoutUrlSecrets(`https://v.test/p?${search}`)).not.toContain(secret);
    }),
  );
});

it('finds addresses inside of texts, lists and objects', () => {
  expect(
    withoutUrlSecretsDeep({
      a: ['see https://u:p@v.test/x?token=1, then', 5, null],
      b: { c: 'http://v.test/?sig=1&n=2' },
      d: 'plain token=1',
    }),
  ).toEqual({ a: ['see https://v.test/x then', 5, null], b: { c: 'http://v.test/?n=2' }, d: 'plain token=1' });
});

it('leaves the addresses of files that have to be opened', () => {
  const signed = 'https://s3.test/a.png?X-Amz-Signature=s';
  expect(withoutPageSecrets({ page_url: signed, screenshot_url: signed, screenshot_urls: [signed], nested: [{ at: signed }] })).toEqual({
    page_url: 'https://s3.test/a.png',
    screenshot_url: signed,
    screenshot_urls: [signed],
    nested: [{ at: 'https://s3.test/a.png' }],
  });
});
