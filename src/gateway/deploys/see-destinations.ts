import { listDestinations, type SeenDestination } from '../../db/deploy-reads';
import type { GatewayDeps } from '../gateway-deps';
import { lookAt } from './look';

/** Kamal's own word for the first destination of most people; any name will do, since the answer to an unknown one names the known. */
const anyName = 'staging';

/** What the deployer last saw; or, refreshed, sees now: it writes what it sees into the rows. */
export const seeDestinations = async (deps: GatewayDeps, { isRefreshed }: { isRefreshed: boolean }): Promise<SeenDestination[]> => {
  const known = await listDestinations(deps.pool);
  if (!isRefreshed) return known;
  const [first = anyName, ...others] = known.map(({ destination }) => destination);
  const seen = await lookAt(deps, { destination: first, want: 'state' });
  const names = seen.want === 'unknown_destination' ? seen.destinations : others;
  await Promise.all(names.map(async (destination) => await lookAt(deps, { destination, want: 'state' })));
  return await listDestinations(deps.pool);
};
