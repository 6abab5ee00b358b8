import type { RequestHandler } from 'express';
import type { WorkerActView } from '../../contracts/worker-act';
import { listApiHosts } from '../../db/fleet/api-hosts';
import type { FleetProbe, FleetWorker } from '../../db/fleet/fleet';
import { readFleetSummary } from '../../db/fleet/fleet-summary';
import { listDeploysOfHost, listHostVersions } from '../../db/deploys/host-deploys';
import { machineName } from '../../domain/machine-name';
import { readMachine } from '../../metrics/machine';
import { answer, type Answer } from '../endpoint';
import { endpoints } from '../endpoints';
import { readFleet, type FleetHost } from '../fleet-reader';
import type { GatewayDeps } from '../gateway-deps';
import { Problem } from '../problem';
import type { RequestFacts } from '../request-facts';
import { version } from '../version';
import { drainWorker } from '../worker-act';
import { activeJobsOf, hostHealth, isKnownDown, readHostMetrics, readHostVersion } from './atm-pages';
import { noMachines } from './atm-refused';
import { toDeployRecord } from './atm-records';
import { findServer, listServers, type AtmServer } from './atm-servers';

type Names =
  | 'atmVersion'
  | 'atmMetrics'
  | 'atmContainers'
  | 'atmWorkers'
  | 'atmFleet'
  | 'reloadFleet'
  | 'idleStatus'
  | 'hostHealth'
  | 'hostMetrics'
  | 'hostVersion'
  | 'hostWorkers'
  | 'hostContainers'
  | 'hostDeploys'
  | 'secretsStatus'
  | 'wakeHost'
  | 'stopHost'
  | 'atmDrain'
  | 'hostDrain'
  | 'hostWorkerDrain';

const deployServer = 'yardmaster';
const workerStatusPort = 3101;
/** ATM keeps so many (atm §2.5). */
const deploysMax = 50;
/** How old the fleet may be on these pages: the sweep probes every 10 s. */
const pollIntervalMs = 10_000;

/** ATM's pages as its dashboard and VALET read them (atm §1.3, atm §4): words and shapes only, everything in them is from the rows or asked of the host. */
export const createAtmRoutes = (deps: GatewayDeps): Record<Names, RequestHandler> => {
  const { pool, limits, hosts, fleetConfig } = deps;
  const startedAt = Date.now();
  const uptimeMs = (): number => Date.now() - startedAt;
  const { environment } = deps.settings;

  const servers = async (): Promise<AtmServer[]> => listServers(fleetConfig.current(), (await readFleet(deps)).hosts, environment);
  const server = async (id: string): Promise<AtmServer> => await getServer(deps, id);
  const machine = async (id: string): Promise<AtmServer & { instanceId: string }> => {
    const found = await server(id);
    if (found.role !== 'ghosthands') throw new Problem('malformed', `${found.id} is no machine of the fleet`);
    if (found.instanceId === null) throw new Problem('malformed', `Nobody knows the instance of ${found.id}`);
    return { ...found, instanceId: found.instanceId };
  };
  const currentDeploy = async (): Promise<string | null> => (await readFleetSummary(pool, limits)).currentDeploy;
  const fleet = async (wanted: string | undefined, facts: RequestFacts) => {
    const listed =
      wanted === 'all'
        ? await servers()
        : (await servers()).filter((each) => each.role === 'atm' || each.environment === (wanted ?? environment));
    // ATM's list is open, and whoever reads it there has the addresses of the fleet.
    return listed.map((each) => showServer(each, facts.caller !== null));
  };

  return {
    atmVersion: answer(endpoints.atmVersion, async () => {
      const [address = null] = await listApiHosts(pool, { rows: 1 });
      return { status: 200, body: { deployServer, version, ghosthands: await readHostVersion(hosts, address), uptimeMs: uptimeMs() } };
    }),
    atmMetrics: answer(endpoints.atmMetrics, async () => ({
      status: 200,
      body: { available: true, ...(await readMachine()), network: { rxBytesPerSec: 0, txBytesPerSec: 0 } },
    })),
    atmContainers: answer(endpoints.atmContainers, () => ({ status: 200, body: [] })),
    atmWorkers: answer(endpoints.atmWorkers, async () => ({
      status: 200,
      body: await listWorkersOf((await readFleet(deps)).hosts, Math.round),
    })),

    atmFleet: answer(endpoints.atmFleet, async ({ query }, facts) => ({
      status: 200,
      body: {
        servers: await fleet(query.environment, facts),
        filter: {
          environment: query.environment ?? environment,
          includeTerminated: query.includeTerminated === 'true',
          currentEnvironment: environment,
        },
      },
    })),
    reloadFleet: answer(endpoints.reloadFleet, async (_input, facts) => {
      await fleetConfig.read();
      const listed = await fleet('all', facts);
      return { status: 200, body: { success: true, count: listed.length, servers: listed } };
    }),
    idleStatus: answer(endpoints.idleStatus, async () => ({
      status: 200,
      body: {
        enabled: false,
        config: { idleTimeoutMs: 0, minRunning: 0, pollIntervalMs },
        workers: (await servers())
          .filter(({ role }) => role === 'ghosthands')
          .map(({ id, address, instanceId, host }) => ({
            serverId: id,
            ip: address,
            instanceId,
            ec2State: isRunning(host) ? 'running' : 'unknown',
            activeJobs: activeJobsOf(host),
            idleSinceMs: null,
            transitioning: false,
          })),
      },
    })),

    hostHealth: answer(endpoints.hostHealth, async ({ params: { serverId } }) => ({
      status: 200,
      body: hostHealth(await server(serverId), { now: Date.now(), currentDeploy: await currentDeploy() }),
    })),
    hostMetrics: answer(endpoints.hostMetrics, async ({ params: { serverId } }) => ({
      status: 200,
      body: await readHostMetrics(hosts, await server(serverId)),
    })),
    hostVersion: answer(endpoints.hostVersion, async ({ params: { serverId } }) => {
      const { address, host } = await server(serverId);
      const ghosthands = await readHostVersion(hosts, isKnownDown(host) ? null : address);
      return { status: 200, body: { deployServer, version, ghosthands, uptimeMs: uptimeMs() } };
    }),
    hostWorkers: answer(endpoints.hostWorkers, async ({ params: { serverId } }) => {
      const { host } = await server(serverId);
      return {
        status: 200,
        body: host === null || host.health === 'offline' ? [] : await listWorkersOf([host], (seconds) => String(Math.round(seconds))),
      };
    }),
    hostContainers: answer(endpoints.hostContainers, async ({ params: { serverId } }) => {
      await server(serverId);
      return { status: 200, body: [] };
    }),
    hostDeploys: answer(endpoints.hostDeploys, async ({ params: { serverId }, query: { limit } }) => {
      const { address } = await server(serverId);
      const rows = Number(limit) > 0 ? Math.min(deploysMax, Math.ceil(Number(limit))) : deploysMax;
      const deploys = address === null ? [] : await listDeploysOfHost(pool, { host: address, rows });
      return {
        status: 200,
        body: deploys.map((deploy) =>
          toDeployRecord({ ...deploy, hosts: deploy.hosts.filter(({ host }) => machineName(host) === address) }),
        ),
      };
    }),

    secretsStatus: answer(endpoints.secretsStatus, () => ({
      status: 200,
      body: { connected: false, error: 'Yardmaster keeps no secrets of others' },
    })),

    wakeHost: answer(endpoints.wakeHost, async ({ params: { serverId } }) => {
      const { id, instanceId, address, host } = await machine(serverId);
      if (!isRunning(host)) throw new Problem('not_taken_over', noMachines);
      return { status: 200, body: { status: 'already_running', serverId: id, instanceId, ip: address } };
    }),
    stopHost: answer(endpoints.stopHost, async ({ params: { serverId } }) => {
      await machine(serverId);
      throw new Problem('not_taken_over', `${noMachines}; POST /v1/workers/:workerId/drain empties one`);
    }),

    atmDrain: answer(endpoints.atmDrain, async ({ body }, facts) => {
      if (body.worker_id === undefined)
        throw new Problem('not_taken_over', 'Name a worker_id; POST /v1/pause keeps the whole fleet from new jobs');
      return await drain([body.worker_id], facts);
    }),
    hostDrain: answer(endpoints.hostDrain, async ({ params: { serverId }, body }, facts) => {
      const { host } = await server(serverId);
      return await drain(body.worker_id === undefined ? presentOn(host) : [body.worker_id], facts);
    }),
    hostWorkerDrain: answer(endpoints.hostWorkerDrain, async ({ params: { serverId }, body }, facts) => {
      const { id, host } = await server(serverId);
      const workerIds = body.worker_id === undefined ? presentOn(host) : [body.worker_id];
      const [workerId] = workerIds;
      if (workerId === undefined) throw new Problem('worker_not_found', `No worker is on ${id}`);
      const views = await drainAll(workerIds, facts);
      return {
        status: 200,
        body: { status: 'draining', active_jobs: views.filter(({ job }) => job !== null).length, worker_id: workerId },
      };
    }),
  };

  async function drainAll(workerIds: readonly string[], facts: RequestFacts): Promise<WorkerActView[]> {
    const views: WorkerActView[] = [];
    const { drainMs: deadlineMs, foreignDrainHoldMs: holdMs } = limits;
    for (const workerId of workerIds)
      views.push(await drainWorker(deps, { workerId, reason: "ATM's drain", deadlineMs, holdMs, waitMs: 0 }, facts));
    return views;
  }

  async function drain(workerIds: readonly string[], facts: RequestFacts): Promise<Answer> {
    await drainAll(workerIds, facts);
    const what =
      workerIds.length === 0 ? 'No worker is there' : `Draining ${workerIds.join(', ')}: GET /v1/workers/:workerId/drain tells when`;
    return { status: 200, body: { success: true, message: what } };
  }

  async function listWorkersOf(of: readonly FleetHost[], uptime: (seconds: number) => number | string): Promise<object[]> {
    const versions = await listHostVersions(pool);
    return of.flatMap(({ host, workers, probe }) =>
      workers
        .filter(({ status }) => status !== 'offline')
        .map((worker) => {
          const { workerId, instanceId, job } = worker;
          const own = probe?.workerId === workerId ? probe : null;
          const since = own?.processStartedAt ?? null;
          return {
            workerId,
            containerId: instanceId ?? '',
            containerName: 'ghosthands-worker',
            status: atmWorkerStatus(worker, own),
            activeJobs: job === null ? (own?.activeJobs ?? 0) : 1,
            statusPort: workerStatusPort,
            uptime: uptime(since === null ? 0 : Math.max(0, (Date.now() - since.getTime()) / 1_000)),
            image: imageOf(probe?.imageTag ?? versions.get(host) ?? 'unknown'),
          };
        }),
    );
  }
};

/** ATM's word for a worker whose port does not answer as that worker is the same as in the health of its host (atm §1.6). */
const atmWorkerStatus = ({ status, condition, job }: FleetWorker, own: FleetProbe | null): string => {
  if (own === null || !own.isFresh || !own.isWorkerUp) return 'unreachable';
  return job !== null ? 'busy' : condition === 'idle' ? 'idle' : status;
};

const isRunning = (host: FleetHost | null): boolean => host !== null && host.health !== 'offline';

const imageOf = (tag: string): string => (tag.includes(':') ? tag : `ghosthands:${tag}`);

const presentOn = (host: FleetHost | null): string[] =>
  (host?.workers ?? []).filter(({ status }) => status !== 'offline').map(({ workerId }) => workerId);

/** 404 in ATM's shape for an id that neither registry nor configuration knows. */
export const getServer = async (deps: GatewayDeps, id: string): Promise<AtmServer> => {
  const { hosts } = await readFleet(deps);
  const found = findServer(listServers(deps.fleetConfig.current(), hosts, deps.settings.environment), id);
  if (found === null) throw new Problem('host_not_found', `Unknown server: ${id}`);
  return found;
};

const showServer = (
  { id, name, prefix, environment, region, type, role, address, instanceId }: AtmServer,
  withAddress: boolean,
): object => ({
  id,
  name,
  host: prefix,
  environment,
  region,
  type,
  role,
  ...(withAddress && address !== null ? { ip: address } : {}),
  ...(withAddress && instanceId !== null ? { ec2InstanceId: instanceId } : {}),
});
