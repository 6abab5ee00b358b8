import { configuredServerSchema, type ConfiguredServer, type FleetConfig } from '../contracts/fleet-config';
import { isAddress, isInstance } from './host-address';
import { machineNameOf } from './machine-name';

/** An array, or an object with `servers`. A wrong entry is left out and named; nothing here throws, since a fleet outlives a slip in a file. */
export const parseFleetConfig = (text: string, source: string): FleetConfig => {
  const entries = findEntries(text);
  if (typeof entries === 'string') return { servers: [], problems: [`${source}: ${entries}`] };
  const servers: ConfiguredServer[] = [];
  const problems: string[] = [];
  for (const [index, entry] of entries.entries()) {
    const parsed = configuredServerSchema.safeParse(entry);
    const where = `${source}: entry ${index + 1}${nameOf(entry)}`;
    if (!parsed.success) {
      problems.push(...parsed.error.issues.map(({ path, message }) => `${where}: ${path.join('.') || 'the entry'}: ${message}`));
    } else if (servers.some(({ id }) => id === parsed.data.id)) {
      problems.push(`${where}: id: is there already`);
    } else servers.push({ ...parsed.data, ip: machineNameOf(parsed.data.ip), ec2InstanceId: machineNameOf(parsed.data.ec2InstanceId) });
  }
  return { servers, problems };
};

const findEntries = (text: string): unknown[] | string => {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    // The parser's own words would repeat the text.
    return `is not JSON${/position \d+/.exec(String(error))?.[0].replace('position', ', from position') ?? ''}`;
  }
  if (Array.isArray(value)) return value;
  const servers: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, 'servers') : undefined;
  return Array.isArray(servers) ? servers : 'must be an array of servers, or an object with the field servers';
};

const nameOf = (entry: unknown): string => {
  const id: unknown = typeof entry === 'object' && entry !== null ? Reflect.get(entry, 'id') : undefined;
  return typeof id === 'string' ? ` (${id.slice(0, 100)})` : '';
};

export interface FleetDifference {
  finding: 'configured_host_without_worker' | 'configured_address_moved' | 'host_not_configured';
  subject: string;
  detail: string;
}

interface RegisteredWorker {
  workerId: string;
  host: string | null;
  instanceId: string | null;
  status: string;
}

/** Configuration against registry (atm §3). Without a configuration there is nothing to compare. */
export const compareFleet = (configured: readonly ConfiguredServer[], workers: readonly RegisteredWorker[]): FleetDifference[] => {
  const machines = configured.filter(isMachine);
  if (machines.length === 0) return [];
  const differences: FleetDifference[] = [];
  const matched = new Set<RegisteredWorker>();
  for (const server of machines) {
    const own = workers.filter((worker) => isOf(server, worker));
    for (const worker of own) matched.add(worker);
    const present = own.filter(({ status }) => status !== 'offline');
    if (present.length === 0) {
      differences.push({
        finding: 'configured_host_without_worker',
        subject: server.id,
        detail: server.ip ?? server.ec2InstanceId ?? 'no address',
      });
    }
    const moved = present.find(({ host }) => server.ip && isAddress(host) && host !== server.ip);
    if (moved) {
      differences.push({ finding: 'configured_address_moved', subject: server.id, detail: `${server.ip} → ${moved.host}` });
    }
  }
  for (const worker of workers) {
    if (worker.status !== 'offline' && !matched.has(worker)) {
      differences.push({ finding: 'host_not_configured', subject: worker.host ?? worker.workerId, detail: worker.workerId });
    }
  }
  return differences;
};

/** Not our own entry, which is no machine of GH. */
export const isMachine = ({ role }: Pick<ConfiguredServer, 'role'>): boolean => role !== 'atm';

/** Of the configured machines, where they are known. */
export const addressesOf = ({ servers }: Pick<FleetConfig, 'servers'>): string[] => servers.filter(isMachine).flatMap(({ ip }) => ip ?? []);

/** By instance id, which no other machine gets; by address where none is known on one of both sides. */
export const isOf = (
  server: Pick<ConfiguredServer, 'ip' | 'ec2InstanceId'>,
  { host, instanceId }: Pick<RegisteredWorker, 'host' | 'instanceId'>,
): boolean => {
  if (isInstance(server.ec2InstanceId ?? null) && isInstance(instanceId)) return server.ec2InstanceId === instanceId;
  return Boolean(server.ip) && server.ip === host;
};
