import type { RequestHandler } from 'express';
import { isDashboardPath } from '../dialect';

const preflightKeptSeconds = '86400';

/** The dashboard's paths alone, for the origins that are named; everybody else gets no header, and every preflight there a 204 (atm §1.1). */
export const allowOrigins = (origins: readonly string[]): RequestHandler => {
  return (request, response, next) => {
    if (!isDashboardPath(request.path)) return next();
    const origin = request.get('origin');
    response.vary('Origin');
    if (origin !== undefined && origins.includes(origin)) response.set('Access-Control-Allow-Origin', origin);
    if (request.method !== 'OPTIONS') return next();
    response
      .status(204)
      .set({
        'Access-Control-Allow-Methods': 'GET, POST, PUT, DELETE, OPTIONS',
        'Access-Control-Allow-Headers': 'Content-Type, X-Deploy-Secret',
        'Access-Control-Max-Age': preflightKeptSeconds,
      })
      .end();
  };
};
