import type { SweepFinding } from '../../src/contracts/sweep';
import { listProbes, listWorkers } from '../../src/db/fleet/fleet';
import { listRegistry, markWorkersOffline, type RegistryRow } from '../../src/db/fleet/registry';
import { listActiveSandboxes, repairSandboxes } from '../../src/db/fleet/sandboxes';
import type { WorkerCondition } from '../../src/db/fleet/worker-counts';
import { listInTurn, listOtherHosts, saveProbes, type HostProbe } from '../../src/db/fleet/workers';
import { addressesOf } from '../../src/domain/fleet-config';
import { isAddress, locateWorkers } from '../../src/domain/host-address';
import { sweepRegistry, type PortFacts, type WorkerRow } from '../../src/domain/registry-sweep';
import { syncSandboxes, type Sandbox } from '../../src/domain/sandbox-sync';
import { portOf, probeHosts } from './probe-hosts';
import type { Pass } from './pass';

/** Registry and ports, in every pass: what is asked now is what assigning believes for the next seconds. */
export const repairRegistry = async (pass: Pass): Promise<void> => {
  const { limits } = pass.deps;
  const rows = pass.bound('registry rows', await listRegistry(pass.db, { rows: limits.fleetRowsMax }), {
    max: limits.fleetRowsMax,
    isSettledByPass: false,
  });
  const { workers, findings } = await locate(pass, rows);
  for (const finding of findings) pass.add(finding);

  const configured = addressesOf(await pass.deps.fleetConfig.read());
  const remembered = await listOtherHosts(pass.db);
  const hosts = new Set([
    ...workers.flatMap(({ host }) => host ?? []),
    ...configured,
    ...remembered,
    ...(await listSandboxHosts(pass, rows)),
  ]);
  const { probes, left } = await probeHosts(pass.deps, await listInTurn(pass.db, [...hosts]));
  await save(pass, probes);
  const asked = withoutHosts(workers, left);
  const first = sweepRegistry({ workers: asked, ports: probes.map(portOf) }, limits);
  const again = await probeAgain(pass, asked, probes, new Set(first.offline.map(({ workerId }) => workerId)));
  const notAsked = left.length + again.left.length;
  if (notAsked > 0)
    pass.add({ finding: 'left_for_next_pass', subject: 'hosts to probe', detail: `${notAsked} of ${hosts.size} were not asked in time` });
  const decided = sweepRegistry({ workers: withoutHosts(asked, again.left), ports: again.ports }, limits);
  for (const finding of decided.findings) pass.add(finding);
  // GH's own reaper is left to do so where we may not.
  const marked = await pass.asTheNeighboursAllow(
    'update (status) on gh_worker_registry',
    async () => await markWorkersOffline(pass.db, decided.offline),
  );
  for (const { workerId, status, reason } of decided.offline) {
    if (marked?.includes(workerId) === true)
      pass.add({ finding: 'worker_marked_offline', subject: workerId, detail: reason, before: status, after: 'offline' });
  }
};

/** The product's sandboxes, and why workers take nothing. */
export const repairSandboxHealth = async (pass: Pass): Promise<void> => {
  const { limits } = pass.deps;
  const workers = await listWorkers(pass.db, limits);
  for (const { workerId, host, condition } of workers) {
    const finding = findingOf[condition];
    if (finding !== undefined) pass.add({ finding, subject: workerId, detail: host ?? 'no address' });
  }
  const sandboxes = await listSandboxes(pass);
  if (sandboxes.length === 0) return;
  const located = locateWorkers(
    workers.map((worker) => ({ ...worker, address: worker.host })),
    sandboxes,
  );
  const { repairs, findings } = syncSandboxes({ sandboxes, workers: located.workers, probes: await listProbes(pass.db, limits) });
  const grant = 'update (health_status, last_health_check_at) on sandboxes';
  const repaired = repairs.length === 0 ? [] : await pass.asTheNeighboursAllow(grant, async () => await repairSandboxes(pass.db, repairs));
  for (const finding of findings) if (repaired !== null || finding.finding !== 'sandbox_repaired') pass.add(finding);
};

/** The conditions that a person should know of. The others are reported by other rules, or need nobody. */
const findingOf: Partial<Record<WorkerCondition, SweepFinding>> = {
  inQueueMode: 'queue_mode_worker',
  tainted: 'tainted_worker',
  deaf: 'unclaiming_worker',
};

/** Sandboxes are read only where some row has no usable address of its own. */
const locate = async (pass: Pass, rows: readonly RegistryRow[]) => {
  const own = locateWorkers(rows, []);
  return own.findings.length === 0 ? own : locateWorkers(rows, await listSandboxes(pass));
};

/** Where the product has the machine of a worker that did not answer at its own address last: the address may have moved, and is registered once. */
const listSandboxHosts = async (pass: Pass, rows: readonly RegistryRow[]): Promise<string[]> => {
  const down = new Set((await listProbes(pass.db, pass.deps.limits)).filter(({ isWorkerUp }) => !isWorkerUp).map(({ host }) => host));
  const instances = new Set(rows.flatMap(({ address, instanceId }) => (address !== null && down.has(address) ? (instanceId ?? []) : [])));
  if (instances.size === 0) return [];
  return (await listSandboxes(pass)).flatMap(({ instanceId, address }) => (instances.has(instanceId) && isAddress(address) ? address : []));
};

const listSandboxes = async (pass: Pass): Promise<Sandbox[]> =>
  (await pass.asTheNeighboursAllow('select on sandboxes', async () => await listActiveSandboxes(pass.db))) ?? [];

const save = async ({ db, deps: { limits } }: Pass, probes: HostProbe[]): Promise<void> => {
  if (probes.length > 0) await saveProbes(db, probes, { jitterMs: limits.processStartJitterMs });
};

/** Nothing is said about a worker whose host nobody asked in this pass. */
const withoutHosts = <Row extends { host: string | null }>(workers: readonly Row[], left: readonly string[]): Row[] => {
  const hosts = new Set<string | null>(left);
  return workers.filter(({ host }) => host === null || !hosts.has(host));
};

/** One lost answer must mark nobody offline: whoever would be, and was silent rather than refused, is asked a second time. */
const probeAgain = async (
  pass: Pass,
  workers: readonly WorkerRow[],
  probes: HostProbe[],
  doomed: ReadonlySet<string>,
): Promise<{ ports: PortFacts[]; left: string[] }> => {
  const silent = new Set(probes.map(portOf).flatMap((port) => (port.kind === 'silent' ? port.host : [])));
  const hosts = workers.flatMap(({ workerId, host }) => (doomed.has(workerId) && host !== null && silent.has(host) ? host : []));
  if (hosts.length === 0) return { ports: probes.map(portOf), left: [] };
  const { probes: again, left } = await probeHosts(pass.deps, [...new Set(hosts)]);
  await save(pass, again);
  const asked = new Map([...probes, ...again].map((probe) => [probe.host, probe]));
  return { ports: [...asked.values()].map(portOf), left };
};
