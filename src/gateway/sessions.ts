import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { Sensitive } from '../domain/sensitive';

/**
 * Sessions of browsers, whose EventSource cannot send a key. The cookie says which key has signed in and until when, signed with a secret that is derived from
 * that very key. So every gateway with the key knows the session, a restart ends none, and a key that leaves the configuration takes its sessions with
 * it. Only that one was signed out is kept, under the digest of its cookie (src/db/ended-sessions.ts).
 */
export interface Sessions<Caller> {
  /** The value of a cookie for whoever shows this key; null for a key that is none. */
  issue(key: { keyId: string }): { value: string; expiresAt: Date } | null;
  /** Whose session a cookie is; null when it is none, or over. */
  read(value: string): { caller: Caller; sessionId: string; expiresAt: Date } | null;
}

export const sessionCookieName = 'yardmaster_session';

interface SessionKey {
  keyId: string;
  secret: Sensitive<string>;
}

/** Names a key without telling it. */
export const makeKeyId = (secret: Sensitive<string>): string => sign(secret, 'yardmaster key id').toString('base64url').slice(0, 12);

export const createSessions = <Caller extends SessionKey>(
  callers: readonly Caller[],
  { lifeMs, now = Date.now }: { lifeMs: number; now?: () => number },
): Sessions<Caller> => {
  const find = (keyId: string): Caller | undefined => callers.find((caller) => caller.keyId === keyId);
  return {
    issue({ keyId }) {
      const caller = find(keyId);
      if (caller === undefined) return null;
      const expiresAt = new Date(now() + lifeMs);
      const claim = `v1.${keyId}.${expiresAt.getTime()}`;
      return { value: `${claim}.${sign(caller.secret, claim).toString('base64url')}`, expiresAt };
    },
    read(value) {
      const [, claim = '', keyId = '', expires = '', signature = ''] = cookiePattern.exec(value) ?? [];
      const caller = find(keyId);
      if (caller === undefined) return null;
      // As texts: the same bytes have several in base64url, and a session that is signed out is known by its cookie's one.
      const expected = Buffer.from(sign(caller.secret, claim).toString('base64url'));
      if (!timingSafeEqual(Buffer.from(signature), expected)) return null;
      return Number(expires) > now() ? { caller, sessionId: sessionIdOf(value), expiresAt: new Date(Number(expires)) } : null;
    },
  };
};

const cookiePattern = /^(v1\.([\w-]{12})\.(\d{1,15}))\.([\w-]{43})$/;

/** Names a session in rows and notifications, where its cookie must not be. */
const sessionIdOf = (value: string): string => createHash('sha256').update(value).digest('base64url');

/** Keyed twice, so that what is signed here is of no use anywhere else where the key signs something. */
const sign = (secret: Sensitive<string>, text: string): Buffer =>
  createHmac('sha256', createHmac('sha256', secret.unredacted()).update('yardmaster session').digest()).update(text).digest();

/** `Set-Cookie`; of no life at all, it takes the cookie back. */
export const sessionCookie = (value: string, { maxAgeMs, isSecure }: { maxAgeMs: number; isSecure: boolean }): string =>
  [
    `${sessionCookieName}=${value}`,
    'Path=/',
    `Max-Age=${Math.floor(maxAgeMs / 1_000)}`,
    'HttpOnly',
    'SameSite=Strict',
    ...(isSecure ? ['Secure'] : []),
  ].join('; ');

export const findSessionCookie = (header: string | undefined): string | undefined =>
  header
    ?.split(';')
    .map((pair) => pair.trim())
    .find((pair) => pair.startsWith(`${sessionCookieName}=`))
    ?.slice(sessionCookieName.length + 1);
