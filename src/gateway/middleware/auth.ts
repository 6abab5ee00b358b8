import { createHash, timingSafeEqual } from 'node:crypto';
import type { Request, RequestHandler } from 'express';
import type { Sensitive } from '../../domain/sensitive';
import type { Role } from '../role';
import { dialectOf, isWorkerPath } from '../dialect';
import { Problem } from '../problem';
import { getFacts, type Caller } from '../request-facts';
import { findSessionCookie, makeKeyId, type Sessions } from '../sessions';
import { refuseForeignPages } from './same-origin';

export interface Key {
  name: string;
  role: Exclude<Role, 'worker'>;
  secret: Sensitive<string>;
}

export interface KeyRing {
  keys: readonly Key[];
  /** What GH workers may show. */
  serviceSecrets: readonly Sensitive<string>[];
  /** GH before its header came put the secret into the URL. */
  legacySecretInQuery: boolean;
}

/** Finds out who calls; who may do what is asked later, when the endpoint is known. */
export const identify = (
  { serviceSecrets, legacySecretInQuery }: KeyRing,
  {
    callers,
    sessions,
    publicUrl,
    isSignedOut,
  }: {
    callers: readonly KnownCaller[];
    sessions: Sessions<KnownCaller>;
    publicUrl: string;
    isSignedOut: (sessionId: string) => Promise<boolean>;
  },
): RequestHandler => {
  const workers = serviceSecrets.map((secret) => knownCaller({ name: 'ghosthands', role: 'worker', secret }));
  return async (request, _response, next) => {
    const facts = getFacts(request);
    const isWorker = isWorkerPath(request.path);
    const shown = isWorker ? findWorkerSecret(request, legacySecretInQuery) : findKey(request);
    // A key that is shown decides, even a wrong one.
    if (shown !== undefined) facts.caller = findCaller(isWorker ? workers : callers, shown);
    else if (!isWorker) {
      const caller = findSession(request, sessions);
      try {
        facts.caller = caller?.sessionId !== undefined && (await isSignedOut(caller.sessionId)) ? null : caller;
      } catch (error) {
        facts.sessionError = error;
      }
    }
    if (facts.caller?.sessionUntil !== undefined) refuseForeignPages(request, publicUrl);
    next();
  };
};

/** Whoever has a key. */
export interface KnownCaller extends Caller {
  keyId: string;
  secret: Sensitive<string>;
  digest: Buffer;
}

export const knownCaller = ({ name, role, secret }: { name: string; role: Role; secret: Sensitive<string> }): KnownCaller => ({
  name,
  role,
  keyId: makeKeyId(secret),
  secret,
  digest: digestOf(secret.unredacted()),
});

const findSession = (request: Request, sessions: Sessions<KnownCaller>): Caller | null => {
  const cookie = findSessionCookie(request.headers.cookie);
  const session = cookie === undefined ? null : sessions.read(cookie);
  if (session === null) return null;
  const { caller, sessionId, expiresAt } = session;
  return { name: caller.name, role: caller.role, keyId: caller.keyId, sessionUntil: expiresAt, sessionId };
};

/** 401 without a known key, 403 when its role does not include this. */
export const authorise = (roles: readonly Role[] | 'public'): RequestHandler => {
  return (request, _response, next) => {
    if (roles === 'public') return next();
    requireRole(requireKey(request, roles.includes('worker') ? headerOf.product : undefined), roles);
    next();
  };
};

export const requireKey = (request: Request, how: string = headerOf[dialectOf(request.path)]): Caller => {
  const { caller, sessionError } = getFacts(request);
  if (caller !== null) return caller;
  if (sessionError !== undefined) throw sessionError;
  throw new Problem('unauthorized', `A valid key is needed: send it as ${how}`, { headers: { 'WWW-Authenticate': 'Bearer' } });
};

/** Also for a form of an endpoint that does more than the others. */
export const requireRole = (caller: Caller | null, roles: readonly Role[] | 'public', what?: string): void => {
  if (roles === 'public' || (caller !== null && roles.includes(caller.role))) return;
  throw new Problem(
    'forbidden',
    `The key "${caller?.name}" has the role ${caller?.role}; ${what === undefined ? 'this' : `${what}, which`} needs ${roles.join(' or ')}`,
  );
};

const headerOf = { native: 'X-API-Key or Authorization: Bearer', product: 'X-GH-Service-Key', atm: 'X-Deploy-Secret' } as const;

const findKey = (request: Request): string | undefined => {
  const dialect = dialectOf(request.path);
  // ATM's own header on its paths; GH decides by its own when it is there (ghosthands §1.1), and VALET sends it on ATM's paths too (atm §5).
  const deploy = dialect === 'atm' ? request.get('x-deploy-secret') : undefined;
  const service = dialect === 'native' ? undefined : request.get('x-gh-service-key');
  return deploy ?? service ?? request.get('x-api-key') ?? /^Bearer +(\S+) *$/i.exec(request.get('authorization') ?? '')?.[1];
};

const findWorkerSecret = (request: Request, legacySecretInQuery: boolean): string | undefined => {
  const header = request.get('x-gh-service-key');
  if (header !== undefined || !legacySecretInQuery) return header;
  return [request.query.secret, request.query.token].find((value) => typeof value === 'string');
};

/** Every digest is compared, each in constant time, so that the time tells neither how much of a secret fits nor which one. */
const findCaller = (callers: readonly KnownCaller[], shown: string): Caller | null => {
  const digest = digestOf(shown);
  const [found] = callers.filter((caller) => timingSafeEqual(caller.digest, digest));
  return found === undefined ? null : { name: found.name, role: found.role, keyId: found.keyId };
};

const digestOf = (secret: string): Buffer => createHash('sha256').update(secret).digest();
