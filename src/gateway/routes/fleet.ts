import type { RequestHandler } from 'express';
import { recordAct } from '../../db/audit';
import { findFleetPause, pauseFleet, unpauseFleet } from '../../db/holds';
import { withTransaction } from '../../db/pool';
import { actorOf } from '../actor';
import { answer } from '../endpoint';
import { endpoints } from '../endpoints';
import type { GatewayDeps } from '../gateway-deps';
import { fleetAnswer } from '../job-answers';

/** The pause of the whole fleet: what runs goes on, nothing new is assigned. */
export const createFleetRoutes = (deps: GatewayDeps): Record<'pause' | 'unpause', RequestHandler> => ({
  pause: answer(endpoints.pause, async ({ body: { reason } }, facts) => {
    const { log, caller } = facts;
    const pause = await withTransaction(deps.pool, async (client) => {
      await recordAct(client, { ...actorOf(facts), act: 'pause', subjectKind: 'fleet', subject: '*', detail: { reason } });
      return await pauseFleet(client, { reason, actor: caller?.name ?? '' });
    });
    log.warn('The fleet is paused', { reason, key: caller?.name });
    return { status: 200, body: fleetAnswer(pause) };
  }),

  unpause: answer(endpoints.unpause, async ({ body: { reason } }, facts) => {
    const { log, caller } = facts;
    const wasPaused = await withTransaction(deps.pool, async (client) => {
      await recordAct(client, { ...actorOf(facts), act: 'unpause', subjectKind: 'fleet', subject: '*', detail: { reason } });
      return await unpauseFleet(client);
    });
    log.warn(wasPaused ? 'The fleet goes on' : 'The fleet was not paused', { reason, key: caller?.name });
    await deps.workflows.sweepNow().catch((error: unknown) => {
      log.info('Waiting jobs are assigned by the next sweep, not at once', { error });
    });
    return { status: 200, body: fleetAnswer(await findFleetPause(deps.pool)) };
  }),
});
