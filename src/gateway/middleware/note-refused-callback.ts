import type { RequestHandler } from 'express';
import { z } from 'zod';
import { noteRefusedCallback } from '../../db/callbacks/refused-callbacks';
import type { GatewayDeps } from '../gateway-deps';
import { getFacts } from '../request-facts';

const attemptIdSchema = z.guid();

/** Before it is refused: a worker with a wrong secret gives up in silence (ghosthands §8), and the fleet would move at the sweep's pace without a word. */
export const noteRefused = ({ pool }: Pick<GatewayDeps, 'pool'>): RequestHandler => {
  return async (request, _response, next) => {
    const { caller, log } = getFacts(request);
    const attemptId = attemptIdSchema.safeParse(request.params.attemptId);
    if (caller?.role !== 'worker' && attemptId.success) {
      await noteRefusedCallback(pool, attemptId.data).catch((error: unknown) => log.debug('A refused callback is not noted', { error }));
    }
    next();
  };
};
