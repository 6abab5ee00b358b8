import type { Pool } from 'pg';
import type { FleetConfig } from '../src/contracts/fleet-config';
import { limits } from '../src/contracts/limits';
import { listWorkers } from '../src/db/fleet/fleet';
import { compareFleet } from '../src/domain/fleet-config';
import type { Log } from '../src/log';

/** At the start: what is wrong with the configuration of the fleet, and where the registry says something else (atm §3). Never a reason not to start. */
export const logFleetDifferences = async ({
  pool,
  log,
  fleetConfig,
}: {
  pool: Pool;
  log: Log;
  fleetConfig: { read(): Promise<FleetConfig> };
}): Promise<void> => {
  const { servers, problems } = await fleetConfig.read();
  for (const problem of problems) log.warn('A part of the fleet configuration is left out', { problem });
  if (servers.length === 0) return;
  try {
    for (const difference of compareFleet(servers, await listWorkers(pool, limits))) {
      log.warn('Configuration and registry of the fleet differ', { ...difference });
    }
  } catch (error) {
    log.warn('Configuration and registry of the fleet could not be compared; each sweep does it again', { error });
  }
};
