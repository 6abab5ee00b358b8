import { listDestinations, type SeenDestination } from '../../db/deploy-reads';
import type { GatewayDeps } from '../gateway-deps';
import { lookAt } from './look';

/** Kamal's own word for the first destination of most people; any name will do, since the answer to an unknown one names the known. */
const anyName = 'staging';

/** What the deployer last saw; or, refreshed, sees now: it writes what it sees into the rows. */
export const seeDestinations = async (deps: GatewayDeps, { isRefreshed }: { isRefreshed: boolean }): Promise<SeenDestination[]> => {
  const known = await listDestinations(deps.pool);
  if (!isRefreshed) return known;
  const first = known[0]?.destination ?? anyName;
  // Whatever the answer is, it names all that the deployer knows now.
  const { destinations } = await lookAt(deps, { destination: first, want: 'state' });
  const names = destinations.filter((destination) => destination !== first);
  await Promise.all(names.map(async (destination) => await lookAt(deps, { destination, want: 'state' })));
  return await listDestinations(deps.pool);
};
