import type { RequestHandler } from 'express';
import { Problem } from '../problem';

/** Only a proxy is asked with a whole URL or for a host (RFC 9112 §3.2), and we are none: what is below takes the target for a path. */
export const refuseForeignTargets: RequestHandler = (request, _response, next) => {
  if (request.url.startsWith('/')) return next();
  throw new Problem('malformed', 'The request target must be a path, such as /v1/jobs, without scheme and host');
};
