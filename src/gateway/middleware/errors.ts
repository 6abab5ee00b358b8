import type { ErrorRequestHandler, Request, RequestHandler, Response } from 'express';
import { isDatabaseOutage, isLackOfSchema, isReadOnly } from '../../db/outage';
import { answerInAtmDialect } from '../compat/atm-errors';
import { answerInGhDialect } from '../compat/gh-errors';
import { dialectOf, type Dialect } from '../dialect';
import { Problem, problemBody } from '../problem';
import { getFacts } from '../request-facts';

const retryAfterSeconds = '2';

/** Every error ends here: a problem in the words of the path, and a line in the log when it is ours. */
export const answerErrors: ErrorRequestHandler = (error: unknown, request, response, next) => {
  const { log } = getFacts(request);
  const problem = toProblem(error);
  if (problem.code === 'internal' || isLackOfSchema(error)) log.error('A request failed', { error });
  else if (problem.code === 'unavailable') log.warn('A request found Postgres away', { error });
  // Its first bytes are out: only cutting the connection tells that the rest is missing.
  if (response.headersSent) return next(error);
  response.set(problem.headers);
  const dialect = dialectOfRequest(request);
  if (dialect === 'product') answerInGhDialect(response, problem);
  else if (dialect === 'atm') answerInAtmDialect(response, problem, request.path);
  else answerProblem(request, response, problem);
};

export const answerNotFound: RequestHandler = (request) => {
  throw new Problem(
    'not_found',
    `There is nothing at ${request.method} ${request.path.slice(0, 200)}; GET /openapi.json lists what there is`,
  );
};

const answerProblem = (request: Request, response: Response, problem: Problem): void => {
  const { requestId } = getFacts(request);
  response
    .status(problem.status)
    .type('application/problem+json')
    .send(JSON.stringify(problemBody(problem, { instance: request.path, requestId })));
};

/** Below `/fleet/:id` the caller's client knows ATM's dialect or GH's, whatever the path leads to. */
const dialectOfRequest = ({ path, originalUrl }: Request): Dialect => {
  const own = dialectOf(path);
  return own === 'native' && /^\/fleet\//i.test(originalUrl) ? 'atm' : own;
};

const toProblem = (error: unknown): Problem => {
  if (error instanceof Problem) return error;
  const outage = outageOf(error);
  if (outage !== null) {
    return new Problem('unavailable', `${outage}; repeat the request in ${retryAfterSeconds} s`, {
      headers: { 'Retry-After': retryAfterSeconds },
    });
  }
  return fromExpress(error) ?? new Problem('internal', 'Something failed on our side; the request id finds it in the log');
};

const outageOf = (error: unknown): string | null => {
  if (isReadOnly(error)) return 'Postgres takes no writes at the moment';
  if (isLackOfSchema(error)) return 'The database has not what this version needs, and npm run migrate may be due';
  return isDatabaseOutage(error) ? 'Postgres does not answer' : null;
};

/** What Express and its body parser refuse carries a type or a status. */
const fromExpress = (error: unknown): Problem | null => {
  if (typeof error !== 'object' || error === null) return null;
  const type: unknown = Reflect.get(error, 'type');
  const status: unknown = Reflect.get(error, 'status');
  if (type === 'entity.too.large') return new Problem('too_large', `The body is larger than ${String(Reflect.get(error, 'limit'))} bytes`);
  if (type === 'entity.parse.failed') return new Problem('malformed', 'The body is not valid JSON');
  if (type === 'charset.unsupported' || type === 'encoding.unsupported') {
    return new Problem('unsupported_media_type', 'The body must be JSON in UTF-8, plain or compressed with gzip, deflate or br');
  }
  if (typeof status === 'number' && status >= 400 && status < 500)
    return new Problem('malformed', 'The request cannot be read: check its path, length and encoding');
  return null;
};
