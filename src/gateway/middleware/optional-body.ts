import type { Request, RequestHandler } from 'express';

/** Reads a body where there is one; none at all counts as an empty object. */
export const optionalBody = (readBody: readonly RequestHandler[]): RequestHandler[] => [
  ...readBody.map<RequestHandler>((handler) => (request, response, next) => (hasBody(request) ? handler(request, response, next) : next())),
  (request, _response, next) => {
    if (!hasBody(request)) request.body = {};
    next();
  },
];

/** HTTP's own rule (RFC 9112 §6.3): without a length and without an encoding there is none. */
const hasBody = (request: Request): boolean =>
  request.get('transfer-encoding') !== undefined || Number(request.get('content-length') ?? 0) > 0;
