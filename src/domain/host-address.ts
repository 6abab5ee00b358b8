import type { SweepItem } from '../contracts/sweep';

/** Registries hold `unknown`, `local` and worse (ghosthands §2.3). */
export const isAddress = (host: string | null): host is string => host !== null && /^[0-9a-fA-F.:]+$/.test(host) && /[.:]/.test(host);

/** GH writes these words where a machine could not read its own id (ghosthands §2.3): many share them, and they name none. */
export const isInstance = (instanceId: string | null): instanceId is string =>
  instanceId !== null && instanceId !== '' && !['unknown', 'local'].includes(instanceId);

/** The name by which a worker's machine is held: its address, else its instance. One that has neither gets no job anyway. */
export const findHoldName = ({ host, instanceId }: { host: string | null; instanceId: string | null }): string | null => {
  if (isAddress(host)) return host;
  return isInstance(instanceId) ? instanceId : null;
};

interface Located {
  workerId: string;
  /** As the registry has it. */
  address: string | null;
  instanceId: string | null;
}

/**
 * Where each worker can be asked: at its own address, else at that of its instance, from another row or the product's sandbox. The row itself stays as it
 * is: it belongs to GH, which writes it again at its next start.
 */
export const locateWorkers = <Row extends Located>(
  rows: readonly Row[],
  sandboxes: readonly { instanceId: string; address: string | null }[],
): { workers: (Row & { host: string | null })[]; findings: SweepItem[] } => {
  const known = new Map<string, string>();
  for (const { instanceId, address } of [...sandboxes, ...rows]) {
    if (isInstance(instanceId) && isAddress(address)) known.set(instanceId, address);
  }
  const findings: SweepItem[] = [];
  const workers = rows.map((row) => {
    if (isAddress(row.address)) return { ...row, host: row.address };
    const host = isInstance(row.instanceId) ? (known.get(row.instanceId) ?? null) : null;
    findings.push({ finding: 'bad_registry_row', subject: row.workerId, detail: `ec2_ip: ${quote(row.address)} is no address` });
    if (host !== null)
      findings.push({ finding: 'address_by_instance', subject: row.workerId, detail: `${host} by ${row.instanceId ?? ''}` });
    return { ...row, host };
  });
  return { workers, findings };
};

const shownChars = 60;
export const quote = (value: string | null): string =>
  value === null ? 'nothing' : JSON.stringify(value.length > shownChars ? `${value.slice(0, shownChars)}…` : value);
