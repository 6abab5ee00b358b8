import { createHash, timingSafeEqual } from 'node:crypto';
import type { Request, RequestHandler } from 'express';
import type { Sensitive } from '../../domain/sensitive';
import type { Role } from '../access';
import { dialectOf, isWorkerPath } from '../dialect';
import { Problem } from '../problem';
import { getFacts, type Caller } from '../request-facts';

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
export const identify = ({ keys, serviceSecrets, legacySecretInQuery }: KeyRing): RequestHandler => {
  const callers = keys.map(({ name, role, secret }) => ({ name, role, digest: digestOf(secret.unredacted()) }));
  const workers = serviceSecrets.map((secret) => ({ name: 'ghosthands', role: 'worker' as const, digest: digestOf(secret.unredacted()) }));
  return (request, _response, next) => {
    const facts = getFacts(request);
    const shown = isWorkerPath(request.path) ? findWorkerSecret(request, legacySecretInQuery) : findKey(request);
    if (shown !== undefined) facts.caller = findCaller(isWorkerPath(request.path) ? workers : callers, shown);
    next();
  };
};

/** 401 without a known key, 403 when its role does not include this. */
export const authorise = (roles: readonly Role[] | 'public'): RequestHandler => {
  return (request, _response, next) => {
    if (roles === 'public') return next();
    const { caller } = getFacts(request);
    if (caller === null) {
      const how = roles.includes('worker') ? headerOf.product : headerOf[dialectOf(request.path)];
      throw new Problem('unauthorized', `A valid key is needed: send it as ${how}`, { headers: { 'WWW-Authenticate': 'Bearer' } });
    }
    if (!roles.includes(caller.role)) {
      throw new Problem('forbidden', `The key "${caller.name}" has the role ${caller.role}; this needs ${roles.join(' or ')}`);
    }
    next();
  };
};

const headerOf = { native: 'X-API-Key or Authorization: Bearer', product: 'X-GH-Service-Key', atm: 'X-Deploy-Secret' } as const;

const findKey = (request: Request): string | undefined => {
  const dialect = dialectOf(request.path);
  // ATM's own header on its paths; GH decides by its own when it is there (ghosthands §1.1), and VALET sends it on ATM's paths too (atm §8).
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
const findCaller = (callers: readonly (Caller & { digest: Buffer })[], shown: string): Caller | null => {
  const digest = digestOf(shown);
  const [found] = callers.filter((caller) => timingSafeEqual(caller.digest, digest));
  return found === undefined ? null : { name: found.name, role: found.role };
};

const digestOf = (secret: string): Buffer => createHash('sha256').update(secret).digest();
