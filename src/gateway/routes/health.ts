import type { RequestHandler } from 'express';
import { answer } from '../endpoint';
import { endpoints } from '../endpoints';
import type { GatewayDeps } from '../gateway-deps';
import { fleetAnswer } from '../job-answers';

export const createHealthRoutes = (deps: GatewayDeps): Record<'livez' | 'readyz', RequestHandler> => ({
  livez: answer(endpoints.livez, () => ({ status: 200, body: { status: 'alive' } })),

  readyz: answer(endpoints.readyz, async () => {
    const { isReady: isWhole, checks, detail, lastSweepAgeSeconds, pause } = await deps.checks.readReadiness();
    const isDraining = deps.isDraining();
    const isReady = isWhole && !isDraining;
    return {
      status: isReady ? 200 : 503,
      headers: { 'Cache-Control': 'no-store' },
      body: {
        status: isReady ? 'ready' : 'not_ready',
        checks,
        ...(detail === null || checks.postgres === 'away' ? {} : { detail }),
        isDraining,
        lastSweepAgeSeconds,
        fleet: pause === undefined ? null : fleetAnswer(pause),
      },
    };
  }),
});
