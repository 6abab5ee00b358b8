import type { Request, Response } from 'express';
import type { GatewayDeps } from '../gateway-deps';
import { getFacts } from '../request-facts';
import type { Reader } from './reader';

/** Admits a reader, and lets log and metrics take the request for a stream. */
export const openStream = (
  { streams, metrics }: Pick<GatewayDeps, 'streams' | 'metrics'>,
  request: Request,
  response: Response,
): Reader => {
  const facts = getFacts(request);
  const { caller, address } = facts;
  const reader = streams.admit(response, {
    owner: caller === null ? `address ${address}` : `key ${caller.name}`,
    sessionId: caller?.sessionId ?? null,
    until: caller?.sessionUntil?.getTime() ?? Infinity,
  });
  facts.isStream = true;
  response.once('close', metrics.openStream(facts.route ?? 'none'));
  return reader;
};
