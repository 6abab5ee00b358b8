import { listFleetHosts } from '../../src/db/deploys/deploy-fleet';
import { pickFleetHosts, type FleetHosts } from '../../src/domain/deploy-hosts';
import type { DeployDeps } from './deploy-deps';

/** The machines of a destination where its files leave lists of hosts empty. */
export const findFleetHosts = async (
  { pool, limits, fleetConfig }: Pick<DeployDeps, 'pool' | 'limits' | 'fleetConfig'>,
  destination: string,
): Promise<FleetHosts> => {
  const { registered, broken } = await listFleetHosts(pool, { destination, freshMs: limits.untouchedMs, awayMs: limits.deployAwayMs });
  return pickFleetHosts({ destination, registered, broken, configured: (await fleetConfig.read()).servers });
};
