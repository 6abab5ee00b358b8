import type { RequestHandler } from 'express';
import { listWorkers, type FleetWorker } from '../../db/fleet/fleet';
import { readInput } from '../endpoint';
import { endpoints } from '../endpoints';
import type { GatewayDeps } from '../gateway-deps';
import { getFacts } from '../request-facts';
import { eventFrame } from '../sse/frame';
import { openStream } from '../sse/open-stream';
import { drainWorker } from '../worker-act';

const reportEveryMs = 2_000;

/**
 * `POST /drain/graceful`, a stream as the answer to a POST. ATM asks GH to drain, which cannot be taken back and gives the job away (atm §2.3); here each
 * worker is drained as POST /v1/workers/:workerId/drain does it, and stays held for hours, or until somebody releases it: ATM has no word for that.
 */
export const drainGracefully = (deps: GatewayDeps): RequestHandler => {
  return async (request, response) => {
    const { timeoutMs } = readInput(endpoints.drainGraceful, request).body;
    const facts = getFacts(request);
    const holdMs = deps.limits.foreignDrainHoldMs;
    const here = await listLive(deps);
    // Before the act: who is told that there is no room for him has drained nobody.
    const reader = openStream(deps, request, response);
    const deadline = Date.now() + timeoutMs;
    const isWanted = new Set(here.map(({ workerId }) => workerId));
    const drained: string[] = [];
    try {
      for (const { workerId } of here) {
        await drainWorker(deps, { workerId, reason: 'drained over ATM', deadlineMs: timeoutMs, waitMs: 0, holdMs }, facts);
        drained.push(workerId);
      }
      for (;;) {
        const workers = (await listLive(deps)).filter(({ workerId }) => isWanted.has(workerId));
        await reader.send(workers.map(drainFrame).join(''));
        const allDrained = workers.every(({ job }) => job === null);
        if (!reader.isOpen()) return;
        if (allDrained || Date.now() >= deadline) {
          await reader.send(eventFrame({ data: { type: 'complete', allDrained } }));
          return;
        }
        const timer = setTimeout(reader.wake, Math.min(reportEveryMs, Math.max(1, deadline - Date.now())));
        await reader.rest();
        clearTimeout(timer);
      }
    } catch (error) {
      facts.log.warn('A drain could not be followed to its end; what was begun goes on', { drained, of: here.length, error });
      const message =
        drained.length === here.length
          ? 'The drain goes on, but cannot be followed at the moment'
          : `Only ${drained.length} of ${here.length} workers are being drained; repeat the request`;
      await reader.send(eventFrame({ data: { type: 'error', message } }));
    } finally {
      reader.end();
    }
  };
};

const listLive = async ({ pool, limits }: GatewayDeps): Promise<FleetWorker[]> =>
  (await listWorkers(pool, limits)).filter(({ status }) => status !== 'offline');

const drainFrame = ({ workerId, job }: FleetWorker): string =>
  eventFrame({
    data: { type: 'drain', worker: workerId, status: job === null ? 'drained' : 'draining', activeJobs: job === null ? 0 : 1 },
  });
