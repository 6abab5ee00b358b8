import { isAddress, locateWorkers } from '../../domain/host-address';
import { listWorkers, type FleetLimits, type FleetWorker } from './fleet';
import { isRefusedByTable } from '../outage';
import { withSavepoint } from '../pool';
import type { Queryable } from '../queryable';
import { listActiveSandboxes } from './sandboxes';

/**
 * The registered workers, each with the address where the sweep asks it: its own, else that of its instance. One that has neither keeps what it
 * registered. Sandboxes are read only where some row has no usable address of its own.
 */
export const listLocatedWorkers = async (
  db: Queryable,
  limits: FleetLimits,
  { isInTransaction }: { isInTransaction: boolean },
): Promise<FleetWorker[]> => {
  const workers = await listWorkers(db, limits);
  if (workers.every(({ host }) => isAddress(host))) return workers;
  const read = async () => await listActiveSandboxes(db);
  const sandboxes = await (isInTransaction ? withSavepoint(db, read) : read()).catch((error: unknown) => {
    // The sweep says what is lost.
    if (isRefusedByTable(error)) return [];
    throw error;
  });
  const located = locateWorkers(
    workers.map((worker) => ({ ...worker, address: worker.host })),
    sandboxes,
  );
  return located.workers.map(({ address, ...worker }) => ({ ...worker, host: worker.host ?? address }));
};
