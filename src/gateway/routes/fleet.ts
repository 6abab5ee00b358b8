import type { RequestHandler } from 'express';
import { dryRunSweepId, workerCleanupScheduleId } from '../../contracts/ids';
import { recordAct } from '../../db/audit';
import { findWorker, listWorkers, type FleetProbe } from '../../db/fleet/fleet';
import { findFleetPause, holdHost, listHolds, pauseFleet, readHeldHost, releaseHost, unpauseFleet } from '../../db/fleet/holds';
import { isRefusedByTable } from '../../db/outage';
import { withTransaction } from '../../db/pool';
import { findRecycleReadiness } from '../../db/fleet/recycle-command';
import { listMachineSandboxes } from '../../db/fleet/sandboxes';
import { groupBy } from '../../domain/group-by';
import { wayAround } from '../../domain/way-around';
import { actorOf } from '../actor';
import { temporalIsAway } from '../commands/refusals';
import { answer } from '../endpoint';
import { endpoints } from '../endpoints';
import type { GatewayDeps } from '../gateway-deps';
import { listWorkersToRestart } from '../left-workers';
import { readFleet } from '../fleet-reader';
import { fleetAnswer } from '../job-answers';
import { noSuchWorker } from '../worker-act';

type FleetRoute = 'pause' | 'unpause' | 'holdHost' | 'releaseHost' | 'sweepFleet' | 'getFleet' | 'listWorkers' | 'getWorker';

/** What the fleet is, and what keeps it from new jobs: the pause of the whole, the hold of a host. What runs goes on. */
export const createFleetRoutes = (deps: GatewayDeps): Record<FleetRoute, RequestHandler> => ({
  pause: answer(endpoints.pause, async ({ body: { reason } }, facts) => {
    const { log, caller } = facts;
    const pause = await withTransaction(deps.pool, async (client) => {
      await recordAct(client, { ...actorOf(facts), act: 'pause', subjectKind: 'fleet', subject: '*', detail: { reason } });
      return await pauseFleet(client, { reason, actor: caller?.name ?? '' });
    });
    log.warn('The fleet is paused', { reason, key: caller?.name });
    return { status: 200, body: fleetAnswer(pause) };
  }),

  unpause: answer(endpoints.unpause, async ({ body: { reason = null } }, facts) => {
    const { log, caller } = facts;
    const wasPaused = await withTransaction(deps.pool, async (client) => {
      await recordAct(client, { ...actorOf(facts), act: 'unpause', subjectKind: 'fleet', subject: '*', detail: { reason } });
      return await unpauseFleet(client);
    });
    log.warn(wasPaused ? 'The fleet goes on' : 'The fleet was not paused', { reason, key: caller?.name });
    await deps.workflows.sweepNow().catch((error: unknown) => {
      log.info('The next pass of the sweep comes by its schedule, not at once', { error });
    });
    return { status: 200, body: fleetAnswer(await findFleetPause(deps.pool)) };
  }),

  holdHost: answer(endpoints.holdHost, async ({ params: { host }, body: { reason, expiresInSeconds } }, facts) => {
    const { log, caller } = facts;
    const body = await withTransaction(deps.pool, async (client) => {
      await recordAct(client, { ...actorOf(facts), act: 'hold', subjectKind: 'host', subject: host, detail: { reason } });
      const expiresInMs = expiresInSeconds === undefined ? null : expiresInSeconds * 1_000;
      const hold = await holdHost(client, { host, reason, actor: caller?.name ?? '', expiresInMs });
      return { host, hold, ...(await readHeldHost(client, host)) };
    });
    log.warn('A host is held', { host, reason, key: caller?.name, workers: body.workers });
    return { status: 200, body };
  }),

  releaseHost: answer(endpoints.releaseHost, async ({ params: { host }, body: { reason = null } }, facts) => {
    const { log, caller } = facts;
    const { wasHeld, ...left } = await withTransaction(deps.pool, async (client) => {
      await recordAct(client, { ...actorOf(facts), act: 'release', subjectKind: 'host', subject: host, detail: { reason } });
      return { wasHeld: await releaseHost(client, host), ...(await readHeldHost(client, host)) };
    });
    log.warn(wasHeld ? 'A host is released' : 'The host was not held', {
      host,
      reason,
      key: caller?.name,
      stillHeldBy: left.holds.map(({ holder }) => holder),
    });
    return { status: 200, body: { host, hold: null, ...left } };
  }),

  sweepFleet: answer(endpoints.sweepFleet, async ({ body: { dryRun } }, facts) => {
    await recordAct(deps.pool, { ...actorOf(facts), act: 'sweep', subjectKind: 'fleet', subject: '*', detail: { dryRun } });
    try {
      if (!dryRun) {
        await deps.workflows.sweepNow();
        return { status: 202, body: { workflowId: workerCleanupScheduleId, lookAt: '/v1/fleet' } };
      }
      const report = await deps.workflows.dryRunSweep({ waitMs: deps.limits.sweepWaitMs });
      if (report !== null) return { status: 200, body: report };
      return { status: 202, body: { workflowId: dryRunSweepId, lookAt: `temporal workflow result --workflow-id ${dryRunSweepId}` } };
    } catch (error) {
      facts.log.warn('A sweep was asked for, and Temporal did not take it', { error });
      throw temporalIsAway();
    }
  }),

  getFleet: answer(endpoints.getFleet, async () => {
    const { hosts, withoutAddress, pause, lastSweep, lastFullSweep } = await readFleet(deps);
    const sandboxes = await listMachineSandboxes(deps.pool).catch((error: unknown) => {
      // The sweep says what is lost.
      if (isRefusedByTable(error)) return [];
      throw error;
    });
    const { showsWorkerId } = deps.settings;
    const sandboxesOf = groupBy(sandboxes, ({ address }) => address);
    return {
      status: 200,
      body: {
        fleet: fleetAnswer(pause),
        hosts: hosts.map(({ probe, ...host }) => ({
          ...host,
          ports: probe === null ? null : portsOf(probe),
          imageVersion: probe?.imageTag ?? null,
          goesAround: wayAround(sandboxesOf.get(host.host) ?? [], { showsWorkerId }),
        })),
        withoutAddress,
        workersToRestart: await listWorkersToRestart(deps.pool, deps),
        recycle: await findRecycleReadiness(deps.pool),
        lastSweep,
        lastFullSweep,
      },
    };
  }),

  listWorkers: answer(endpoints.listWorkers, async () => ({
    status: 200,
    body: { workers: await listWorkers(deps.pool, deps.limits) },
  })),

  getWorker: answer(endpoints.getWorker, async ({ params: { workerId } }) => {
    const worker = await findWorker(deps.pool, deps.limits, workerId);
    if (worker === null) throw noSuchWorker(workerId);
    return { status: 200, body: { ...worker, holds: await listHolds(deps.pool, [worker.host, worker.instanceId]) } };
  }),
});

const portsOf = ({ isApiUp, isWorkerUp, probedAt, problem }: FleetProbe): object => ({ isApiUp, isWorkerUp, probedAt, problem });
