import { assert, property, string } from 'fast-check';
import { createRedact, isPersonalField, isSecretField } from '../../../src/domain/redact';
import { secretLengthMin } from '../../../src/domain/secret-forms';
import { sensitive } from '../../../src/domain/sensitive';

const redact = createRedact();

describe('what looks like a secret', () => {
  it.each([
    [
      'user-info in a URL',
      'cannot reach postgres://ym:p%40ss@db.internal:5432/fleet',
      'cannot reach postgres://[redacted]@db.internal:5432/fleet',
    ],
    ['a password with an @', 'redis://:a@b@cache:6379/0', 'redis://[redacted]@cache:6379/0'],
    [
      '?token= of a callback URL',
      'POST https://valet.example/hook?token=abc123&x=1',
      'POST https://valet.example/hook?token=[redacted]&x=1',
    ],
    ['?secret= and ?key=', '/cb?a=1&secret=s3 ws://h/cdp-proxy?key=k3', '/cb?a=1&secret=[redacted] ws://h/cdp-proxy?key=[redacted]'],
    ['what is taken out of an address that we keep', '?ticket=t1&next=2&otp=123456', '?ticket=[redacted]&next=2&otp=[redacted]'],
    ['a signed address', 'GET /o?X-Amz-Signature=beef&X-Amz-Date=1', 'GET /o?X-Amz-Signature=[redacted]&X-Amz-Date=1'],
    ['an Authorization header', 'Authorization: Bearer abcdefghijkl', 'Authorization: Bearer [redacted]'],
    ['a key header', 'X-GH-Service-Key: abc', 'X-GH-Service-Key: [redacted]'],
    ['an assignment', 'PGPASSWORD=abc GH_SERVICE_SECRET="d e f" ls', 'PGPASSWORD=[redacted] GH_SERVICE_SECRET=[redacted] ls'],
    ['a JSON field', '{"access_token": "abc\\"d", "n": 1}', '{"access_token": [redacted], "n": 1}'],
    ['a JWT', 'got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc_DEF-1 back', 'got [redacted] back'],
    ['a private key', 'a\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nb', 'a\n[redacted]\nb'],
    ['a private key that was cut off', 'a -----BEGIN PRIVATE KEY-----\nMIIE', 'a [redacted]'],
    ['a token of GitHub', `push ghp_${'a'.repeat(36)}.`, 'push [redacted].'],
    ['an e-mail address', 'resume of zoë.o’neil+jobs@bücher.example sent', 'resume of zoë.o’[e-mail] sent'],
  ])('hides %s', (_what, text, shown) => {
    expect(redact(text)).toBe(shown);
  });

  it.each([
    'total_tokens: 512, idempotency_key: abc, tokens=3',
    'postgres://db.internal:5432/fleet and https://valet.example/hook?id=1',
    'job 3f0c8a52-0000-4000-8000-000000000001 on ip-10-0-0-1, 14:03:22',
    '-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----',
    'root@10.0.0.1 left',
  ])('leaves %j alone', (text) => {
    expect(redact(text)).toBe(text);
  });
});

describe('a known secret', () => {
  it('is hidden in plain text, URL-encoded, JSON-escaped and in base64, wherever it stands', () => {
    assert(
      property(string({ minLength: secretLengthMin, unit: 'grapheme' }), string(), string(), (secret, before, after) => {
        const hide = createRedact([sensitive(secret)]);
        const forms = [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1), Buffer.from(secret).toString('base64')];
        for (const form of forms) expect(hide(`${before} ${form} ${after}`).split('[redacted]').length).toBeGreaterThan(1);
        expect(hide(`<${secret}>`)).toBe('<[redacted]>');
      }),
    );
  });

  it('is hidden as a whole when a shorter secret is its beginning', () => {
    const hide = createRedact([sensitive('abcdefgh'), sensitive('abcdefgh-and-more')]);
    expect(hide('x abcdefgh-and-more y abcdefgh')).toBe('x [redacted] y [redacted]');
  });
});

it('takes no longer than the text is long, whatever the text', () => {
  const unkind = ['a', '://', 'eyJ', 'token', '-----BEGIN PRIVATE KEY-----', 'a.', 'a@', '&a', '"token":"\\', 'Bearer '].map((part) =>
    part.repeat(20_000),
  );
  const before = process.cpuUsage();
  for (const text of unkind) redact(text);
  // Linear work takes well under a second for these two megabytes; a quadratic search would take minutes.
  expect(process.cpuUsage(before).user / 1_000).toBeLessThan(10_000);
});

it('knows fields that are secret or personal by their names', () => {
  expect(
    ['serviceKey', 'api_key', 'X-GH-Service-Key', 'password', 'accessToken', 'set-cookie'].filter((name) => !isSecretField(name)),
  ).toEqual([]);
  expect(['jobId', 'idempotencyKey', 'total_tokens', 'keys'].filter(isSecretField)).toEqual([]);
  expect(['inputData', 'input_data', 'profile', 'qa_answers', 'firstName'].filter((name) => !isPersonalField(name))).toEqual([]);
});
