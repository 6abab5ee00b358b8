import { randomUUID } from 'node:crypto';
import type { RequestHandler } from 'express';
import type { Log } from '../../log';
import { setFacts } from '../request-facts';

/** What we take over from a caller: short, and harmless in a log line, a header and a workflow memo. */
const saneRequestId = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;

/** Gives each request an id, the caller's where it is sane, and a log that names it. */
export const requestId = (log: Log): RequestHandler => {
  return (request, response, next) => {
    const offered = request.get('x-request-id');
    const id = offered !== undefined && saneRequestId.test(offered) ? offered : randomUUID();
    response.set('X-Request-Id', id);
    setFacts(request, {
      requestId: id,
      log: log.child({ requestId: id }),
      caller: null,
      address: request.ip ?? null,
      route: null,
      isStream: false,
    });
    next();
  };
};
