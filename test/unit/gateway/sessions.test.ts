import { assert, constantFrom, nat, pre, property } from 'fast-check';
import { sensitive } from '../../../src/domain/sensitive';
import { createSessions, findSessionCookie, makeKeyId, sessionCookie } from '../../../src/gateway/sessions';

const key = (secret: string) => ({ name: 'ada', keyId: makeKeyId(sensitive(secret)), secret: sensitive(secret) });
const [first, second] = [key('the-first-secret'), key('the-second-secret')];
const at = (now: number, keys = [first, second]) => createSessions(keys, { lifeMs: 1_000, now: () => now });
const valueOf = (keyOfIt = first) => at(0).issue(keyOfIt)?.value ?? '';

it('is known by every gateway that has the key, until it expires', () => {
  expect(at(999).read(valueOf())).toMatchObject({ caller: { keyId: first.keyId }, expiresAt: new Date(1_000) });
  expect(at(1_000).read(valueOf())).toBeNull();
});

it('ends with the key that opened it, not with another one of the same name', () => {
  expect(at(0, [second]).read(valueOf(first))).toBeNull();
  expect(at(0, [second]).read(valueOf(second))).not.toBeNull();
});

it('tells nothing of the key', () => {
  for (const text of [valueOf(), Buffer.from(valueOf(), 'base64url').toString('latin1')]) expect(text).not.toContain('the-first-secret');
});

it('cannot be changed: not its end, not its key, not its signature', () => {
  assert(
    property(nat(valueOf().length - 1), constantFrom('0', '9', 'A', 'z', '.'), (index, character) => {
      const changed = valueOf().slice(0, index) + character + valueOf().slice(index + 1);
      pre(changed !== valueOf());
      expect(at(0).read(changed)).toBeNull();
    }),
  );
  expect(at(0).read(valueOf().replace(first.keyId, second.keyId))).toBeNull();
  expect(at(0).read('')).toBeNull();
});

it('has one spelling: another one of the same signature would outlive its sign-out', () => {
  // The last character of a base64url text has two bits that mean nothing.
  const [start, last = ''] = [valueOf().slice(0, -1), valueOf().at(-1)];
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'.split('');
  expect(alphabet.filter((character) => at(0).read(start + character) !== null)).toEqual([last]);
});

it('travels in a cookie that no script reads and no other site sends', () => {
  const cookie = sessionCookie('v', { maxAgeMs: 60_000, isSecure: true });
  expect(cookie).toBe('yardmaster_session=v; Path=/; Max-Age=60; HttpOnly; SameSite=Strict; Secure');
  expect(sessionCookie('', { maxAgeMs: 0, isSecure: false })).toContain('Max-Age=0');
  expect(findSessionCookie('a=1; yardmaster_session=v ; b=2')).toBe('v');
  expect(findSessionCookie('xyardmaster_session=v')).toBeUndefined();
});
