import type { ConfiguredServer, FleetConfig } from '../../contracts/fleet-config';
import { isMachine, isOf } from '../../domain/fleet-config';
import { isInstance } from '../../domain/host-address';
import { machineName } from '../../domain/machine-name';
import type { FleetHost } from '../fleet-reader';

/** One entry of the dashboard's list: a machine of the fleet, configured, registered or both; or the control plane itself. */
export interface AtmServer {
  id: string;
  name: string;
  /** What the dashboard puts before its paths. */
  prefix: string;
  environment: string;
  region: string;
  type: string;
  role: 'atm' | 'ghosthands';
  address: string | null;
  instanceId: string | null;
  /** Null: it never registered and nobody has probed it. */
  host: FleetHost | null;
}

/** Ids under which the control plane answers for itself; `atm-gw1` is the one that ATM has built in (atm §1.3). */
export const ownIds = ['yardmaster', 'atm-gw1'] as const;

/** The registry plus the configuration (atm §3), the latter first and in its order. */
export const listServers = (config: FleetConfig, hosts: readonly FleetHost[], environment: string): AtmServer[] => {
  const configured = config.servers.map((server) => fromConfig(server, isMachine(server) ? findHost(server, hosts) : null, environment));
  const own = configured.some(({ role }) => role === 'atm') ? [] : [itself(environment)];
  const named = new Set(configured.map(({ host }) => host));
  const servers = [...own, ...configured];
  for (const host of hosts) {
    if (named.has(host)) continue;
    const id = idOf(host);
    servers.push(fromRegistry(host, servers.some((other) => other.id === id) ? host.host : id, environment));
  }
  return servers;
};

/** By id, as VALET's tags and the dashboard know it; else by instance id or address. */
export const findServer = (servers: readonly AtmServer[], id: string): AtmServer | null =>
  servers.find((server) => server.id === id) ??
  servers.find(({ instanceId, address }) => [instanceId, address].includes(machineName(id))) ??
  null;

const itself = (environment: string): AtmServer => ({
  id: ownIds[0],
  name: 'Yardmaster',
  prefix: '',
  environment,
  region: '',
  type: '',
  role: 'atm',
  address: null,
  instanceId: null,
  host: null,
});

const fromConfig = (server: ConfiguredServer, host: FleetHost | null, environment: string): AtmServer => ({
  id: server.id,
  name: server.name ?? server.id,
  prefix: server.host ?? (isMachine(server) ? `/fleet/${server.id}` : ''),
  environment: server.environment ?? environment,
  region: server.region ?? '',
  type: server.type ?? '',
  role: isMachine(server) ? 'ghosthands' : 'atm',
  // The registry knows where a machine is now; the file, where it was when somebody wrote it.
  address: host?.host ?? server.ip ?? null,
  instanceId: server.ec2InstanceId ?? instanceOf(host),
  host,
});

const fromRegistry = (host: FleetHost, id: string, environment: string): AtmServer => ({
  id,
  name: `GH ${host.workers[0]?.workerId ?? host.host}`,
  prefix: `/fleet/${id}`,
  environment,
  region: '',
  type: '',
  role: 'ghosthands',
  address: host.host,
  instanceId: instanceOf(host),
  host,
});

const findHost = (server: ConfiguredServer, hosts: readonly FleetHost[]): FleetHost | null =>
  hosts.find(({ workers }) => workers.some((worker) => worker.status !== 'offline' && isOf(server, worker))) ??
  hosts.find(({ workers }) => workers.some((worker) => isOf(server, worker))) ??
  hosts.find(({ host, workers }) => workers.length === 0 && host === server.ip) ??
  null;

const instanceOf = (host: FleetHost | null): string | null =>
  host?.workers.find(({ instanceId }) => isInstance(instanceId))?.instanceId ?? null;

/** As ATM names the machines that it discovers (atm §3). */
const idOf = (host: FleetHost): string => {
  const instanceId = instanceOf(host);
  return instanceId === null ? host.host : `gh-${instanceId.slice(-9)}`;
};
