import type { SweepItem } from '../contracts/sweep';
import { groupBy } from './group-by';
import { registryOf, type HostProbeFacts, type WorkerHealthFacts } from './fleet-report';
import { judgeHealth, portsOf, type Health } from './health';

/** The product's words for health (valet §4.2). */
export type SandboxHealth = 'healthy' | 'degraded' | 'unhealthy';

export interface Sandbox {
  sandboxId: string;
  instanceId: string;
  address: string | null;
  health: SandboxHealth;
}

/**
 * Compares the product's sandboxes with the registry (valet §4.2): by instance id, then by address. Answers which sandboxes show a wrong health, and what else
 * a person should know. One without any worker keeps its health: nothing is known about it.
 */
export const syncSandboxes = (rows: {
  sandboxes: readonly Sandbox[];
  workers: readonly (WorkerHealthFacts & { workerId: string })[];
  probes: readonly Omit<HostProbeFacts, 'hasAttempt'>[];
}): { repairs: { sandboxId: string; health: SandboxHealth }[]; findings: SweepItem[] } => {
  const repairs: { sandboxId: string; health: SandboxHealth }[] = [];
  const findings: SweepItem[] = [];
  const matched = new Set<string>();
  const ofInstance = groupBy(rows.workers, ({ instanceId }) => instanceId);
  const ofAddress = groupBy(rows.workers, ({ host }) => host);
  const probesOf = groupBy(rows.probes, ({ host }) => host);
  for (const sandbox of rows.sandboxes) {
    // An address is used again by other machines, so it counts only where no instance id does.
    const workers = ofInstance.get(sandbox.instanceId) ?? (sandbox.address === null ? null : ofAddress.get(sandbox.address)) ?? [];
    for (const { workerId } of workers) matched.add(workerId);
    if (workers.length === 0) {
      findings.push({ finding: 'sandbox_without_worker', subject: sandbox.sandboxId, detail: sandbox.address ?? 'no address' });
      continue;
    }
    const host = (workers.find(({ isBeating }) => isBeating) ?? workers[0])?.host ?? null;
    if (host !== null && host !== sandbox.address) {
      findings.push({ finding: 'sandbox_address_moved', subject: sandbox.sandboxId, detail: `${sandbox.address ?? 'none'} → ${host}` });
    }
    const probe = host === null ? null : probesOf.get(host)?.[0];
    const judged = judgeHealth({ ports: portsOf(probe), registry: registryOf(workers) });
    const health = sandboxHealthOf[judged.health];
    if (health === sandbox.health) continue;
    repairs.push({ sandboxId: sandbox.sandboxId, health });
    findings.push({
      finding: 'sandbox_repaired',
      subject: sandbox.sandboxId,
      detail: judged.reason,
      before: sandbox.health,
      after: health,
    });
  }
  // Without a single sandbox the product does not keep them for this fleet.
  if (rows.sandboxes.length > 0) {
    for (const { workerId, host, status } of rows.workers) {
      if (status !== 'offline' && !matched.has(workerId))
        findings.push({ finding: 'worker_of_no_sandbox', subject: workerId, detail: host ?? 'no address' });
    }
  }
  return { repairs, findings };
};

const sandboxHealthOf: Record<Health, SandboxHealth> = { healthy: 'healthy', degraded: 'degraded', offline: 'unhealthy' };
