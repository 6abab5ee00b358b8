import { listDestinations, type KnownDestinationView } from '../../db/deploys/deploy-reads';
import type { GatewayDeps } from '../gateway-deps';
import { inspectDestination } from './inspect-destination';

/** Kamal's own word for the first destination of most people; any name will do, since the answer to an unknown one names the known. */
const anyName = 'staging';

/** What the deployer last saw; or, refreshed, sees now: it writes what it sees into the rows. */
export const readDestinations = async (deps: GatewayDeps, { isRefreshed }: { isRefreshed: boolean }): Promise<KnownDestinationView[]> => {
  const known = await listDestinations(deps.pool);
  if (!isRefreshed) return known;
  const first = known[0]?.destination ?? anyName;
  // Whatever the answer is, it names all that the deployer knows now.
  const { destinations } = await inspectDestination(deps, { destination: first, want: 'state' });
  const names = destinations.filter((destination) => destination !== first);
  await Promise.all(names.map(async (destination) => await inspectDestination(deps, { destination, want: 'state' })));
  return await listDestinations(deps.pool);
};
