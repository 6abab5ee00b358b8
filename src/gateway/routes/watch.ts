import type { RequestHandler } from 'express';
import { answer } from '../endpoint';
import { endpoints } from '../endpoints';
import { watchPage, watchScript, watchStyle } from '../watch-page';

/** Its own script and style, its own origin to talk to, nothing else. */
const contentPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export const createWatchRoutes = (): Record<'watchDeploy' | 'watchScript' | 'watchStyle', RequestHandler> => ({
  watchDeploy: answer(endpoints.watchDeploy, () => ({
    status: 200,
    headers: { 'Content-Security-Policy': contentPolicy },
    body: watchPage,
  })),
  watchScript: answer(endpoints.watchScript, () => ({ status: 200, body: watchScript })),
  watchStyle: answer(endpoints.watchStyle, () => ({ status: 200, body: watchStyle })),
});
