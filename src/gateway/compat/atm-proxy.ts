import type { RequestHandler } from 'express';
import { answer, type Answer } from '../endpoint';
import { endpoints } from '../endpoints';
import type { GatewayDeps } from '../gateway-deps';
import { Problem } from '../problem';
import { getServer } from './atm';
import { isKnownDown } from './atm-pages';

type Names = 'hostWorkerStatus' | 'hostWorkerHealth' | 'proxyToHost';

/**
 * A GET of anything else of a machine, as ATM passes it (atm §1.3): only to machines that are registered or configured, bounded in time and size, without
 * any header of the caller, and without following where an answer points. Status, type and text come back as they are: a 503 of a busy worker, too.
 */
export const createAtmProxyRoutes = (deps: GatewayDeps): Record<Names, RequestHandler> => ({
  hostWorkerStatus: answer(endpoints.hostWorkerStatus, async ({ params: { serverId } }) => await pass(deps, serverId, '/worker/status')),
  hostWorkerHealth: answer(endpoints.hostWorkerHealth, async ({ params: { serverId } }) => await pass(deps, serverId, '/worker/health')),
  proxyToHost: (request, response, next) =>
    answer(endpoints.proxyToHost, async ({ params: { serverId } }) => {
      const path = request.url.replace(/^\/fleet\/[^/]+/i, '');
      return await pass(deps, serverId, path);
    })(request, response, next),
});

const pass = async (deps: GatewayDeps, serverId: string, path: string): Promise<Answer> => {
  if (/(^|\/)(\.|%2e){1,2}([/?]|$)/i.test(path) || path.includes('\\')) throw new Problem('malformed', 'The path may not climb');
  const { id, address, host } = await getServer(deps, serverId);
  if (address === null) throw new Problem('unavailable', `${id} has no address`);
  const failed = (why: string): Problem => new Problem('host_unreachable', `Proxy to ${id} failed: ${why}`);
  if (isKnownDown(host)) throw failed('neither port answers');
  const { proxyTimeoutMs: timeoutMs, proxyAnswerBytesMax: answerBytesMax } = deps.limits;
  const page = await deps.hosts.getPage(address, /^\/workers?([/?]|$)/i.test(path) ? 'worker' : 'api', path, { timeoutMs, answerBytesMax });
  if (page.kind === 'refused') throw failed('it refuses the connection');
  if (page.kind === 'silent') throw failed(page.problem);
  return { status: page.status, headers: { 'Content-Type': page.contentType ?? 'text/plain; charset=utf-8' }, body: page.text };
};
