import type { RequestHandler } from 'express';
import { ipKeyGenerator, rateLimit } from 'express-rate-limit';
import { isWorkerPath } from '../dialect';
import { Problem } from '../problem';
import { getFacts } from '../request-facts';

const windowMs = 60_000;
const probes = new Set(['/livez', '/readyz', '/health']);
export const isUncounted = (path: string): boolean => probes.has(path);

/**
 * Per key, or per address for who shows none. Workers share one secret, so their callbacks are counted per attempt: a fleet at work is no abuse,
 * a worker in a loop is (ghosthands §3.1). Counted in this process alone.
 */
export const limitRate = (perMinute: number): RequestHandler =>
  rateLimit({
    windowMs,
    limit: perMinute,
    standardHeaders: 'draft-8',
    legacyHeaders: false,
    identifier: 'requests',
    skip: (request) => isUncounted(request.path),
    keyGenerator: (request) => {
      const { caller } = getFacts(request);
      if (caller === null) return `address ${ipKeyGenerator(request.ip ?? '')}`;
      return isWorkerPath(request.path) ? `callback ${request.path}` : `key ${caller.name}`;
    },
    handler: (_request, response, next) => {
      const seconds = String(response.getHeader('Retry-After') ?? windowMs / 1000);
      next(
        new Problem('too_many_requests', `More than ${perMinute} requests in a minute; wait ${seconds} s`, {
          headers: { 'Retry-After': seconds },
        }),
      );
    },
  });
