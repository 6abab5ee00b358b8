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
  const reader = streams.admit(response);
  facts.isStream = true;
  response.once('close', metrics.openStream(facts.route ?? 'none'));
  return reader;
};
