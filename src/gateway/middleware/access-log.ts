import type { RequestHandler } from 'express';
import { getFacts } from '../request-facts';

/** One line per request. Without the query: GH's legacy callbacks carry the service secret in it (valet §1.4). */
export const accessLog = (
  observe: (request: { method: string; route: string; status: number; seconds: number }) => void,
): RequestHandler => {
  return (request, response, next) => {
    const startedAt = process.hrtime.bigint();
    const { path } = request;
    response.once('close', () => {
      const { log, caller, route, isStream } = getFacts(request);
      const ms = Number(process.hrtime.bigint() - startedAt) / 1e6;
      // Nobody waits for the answer of a request that was given up: 499 is the usual word for it.
      const status = response.writableFinished ? response.statusCode : 499;
      log.info(isStream ? 'Streamed' : 'Answered', {
        method: request.method,
        path,
        status,
        ms: Math.round(ms * 10) / 10,
        key: caller?.name ?? null,
      });
      if (!isStream) observe({ method: request.method, route: route ?? 'none', status, seconds: ms / 1000 });
    });
    next();
  };
};
