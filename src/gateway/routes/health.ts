import type { RequestHandler } from 'express';
import { findFleetPause, type FleetPause } from '../../db/holds';
import { answer } from '../endpoint';
import { endpoints } from '../endpoints';
import type { GatewayDeps } from '../gateway-deps';
import { fleetAnswer } from '../job-answers';

export const createHealthRoutes = (deps: GatewayDeps): Record<'livez' | 'readyz', RequestHandler> => ({
  livez: answer(endpoints.livez, () => ({ status: 200, body: { status: 'alive' } })),

  readyz: answer(endpoints.readyz, async (_input, { log }) => {
    const [postgres, temporal] = await Promise.allSettled([
      inTime(findFleetPause(deps.pool), deps.limits.probeTimeoutMs),
      inTime(deps.workflows.check(), deps.limits.probeTimeoutMs),
    ]);
    for (const [name, check] of Object.entries({ postgres, temporal })) {
      if (check.status === 'rejected') log.warn('Not ready', { missing: name, error: check.reason as unknown });
    }
    const isDraining = deps.isDraining();
    const isReady = postgres.status === 'fulfilled' && temporal.status === 'fulfilled' && !isDraining;
    return {
      status: isReady ? 200 : 503,
      headers: { 'Cache-Control': 'no-store' },
      body: {
        status: isReady ? 'ready' : 'not_ready',
        checks: { postgres: checkStatus(postgres), temporal: checkStatus(temporal) },
        isDraining,
        fleet: postgres.status === 'fulfilled' ? fleetAnswer(postgres.value) : null,
      },
    };
  }),
});

const checkStatus = (check: PromiseSettledResult<FleetPause | null | void>): 'ok' | 'away' =>
  check.status === 'fulfilled' ? 'ok' : 'away';

/** A database that accepts connections and then says nothing is not ready either. */
const inTime = async <Result>(work: Promise<Result>, timeoutMs: number): Promise<Result> => {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([work, tooLate]);
  } finally {
    clearTimeout(timer);
  }
};
