import type { Request } from 'express';
import { Problem } from '../problem';

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * A browser adds the cookie to whatever a page makes it send. So a session acts only from pages of our own origin, and only with what a form cannot send:
 * a JSON body or a header of one's own. The cookie's SameSite=Strict says the same; this does not rely on it.
 */
export const refuseForeignPages = (request: Request, publicUrl: string): void => {
  if (safeMethods.has(request.method)) return;
  const isOurs = isOwnOrigin(request, publicUrl);
  const isNoForm = request.is(['json', '+json']) !== false || request.get('x-requested-with') !== undefined;
  if (isOurs && isNoForm) return;
  throw new Problem(
    'forbidden',
    'A session acts only from pages of this gateway, with JSON or the header X-Requested-With: send a key instead',
  );
};

const isOwnOrigin = (request: Request, publicUrl: string): boolean => {
  const origin = request.get('origin');
  if (origin === undefined) return request.get('sec-fetch-site') === 'same-origin';
  if (!URL.canParse(origin)) return false;
  return origin === new URL(publicUrl).origin || new URL(origin).host === request.get('host');
};
