import { listWorkers } from '../../src/db/fleet/fleet';
import { compareFleet } from '../../src/domain/fleet-config';
import type { Pass } from './pass';

/** The registry against what the owner of the fleet has written down (atm §3): reported, never repaired, since either may be the one that is behind. */
export const compareConfiguration = async (pass: Pass): Promise<void> => {
  const { fleetConfig, limits } = pass.deps;
  const { servers, problems } = await fleetConfig.read();
  for (const problem of problems) pass.add({ finding: 'bad_fleet_configuration', subject: 'fleet', detail: problem });
  for (const difference of compareFleet(servers, await listWorkers(pass.db, limits))) pass.add(difference);
};
