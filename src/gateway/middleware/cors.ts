import cors from 'cors';
import type { RequestHandler } from 'express';
import { isDashboardPath } from '../dialect';

/** The dashboard's paths alone, for the origins that are named; everybody else gets no header, and every preflight there a 204 (atm §1.1). */
export const allowOrigins = (origins: readonly string[]): RequestHandler => {
  const allow = cors({
    origin: [...origins],
    methods: 'GET, POST, PUT, DELETE, OPTIONS',
    allowedHeaders: 'Content-Type, X-Deploy-Secret',
    maxAge: 86_400,
  });
  return (request, response, next) => (isDashboardPath(request.path) ? allow(request, response, next) : next());
};
