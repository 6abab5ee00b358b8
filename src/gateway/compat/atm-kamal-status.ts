import { listDestinations } from '../../db/deploys/deploy-reads';
import { inspectDestination } from '../deploys/inspect-destination';
import type { GatewayDeps } from '../gateway-deps';
import { Problem } from '../problem';

interface KamalStatus {
  available: boolean;
  locked: boolean;
  holder?: string;
  reason?: string;
  destination: string;
}

/** The dashboard asks every 15 s, in each window; an inspection starts Kamal and goes to the hosts. "Free" is inspected each time: its button deploys then. */
const lockedRecentlyMs = 10_000;

/** ATM says "free" when it cannot look (atm §2.2), and its button deploys then. What nobody has seen counts as locked here. */
export const readKamalStatus = async (deps: GatewayDeps, destination: string): Promise<KamalStatus> => {
  const known = (await listDestinations(deps.pool)).find((each) => each.destination === destination);
  if (known?.deploy) {
    const { kind, version, actor, phase } = known.deploy;
    return { available: true, locked: true, holder: actor, reason: `${kind} of ${version} (${phase})`, destination };
  }
  const wasLocked = known !== undefined && (known.lock !== null || known.problem !== null);
  const state = wasLocked && Date.now() - Date.parse(known.seenAt) < lockedRecentlyMs ? known : await readState(deps, destination);
  if (typeof state === 'string') return { available: false, locked: true, holder: 'unknown', reason: state, destination };
  if (state.lock !== null) return { available: true, locked: true, holder: state.lock.holder, reason: state.lock.message, destination };
  if (state.problem !== null) return { available: true, locked: true, holder: 'unknown', reason: state.problem, destination };
  return { available: true, locked: false, destination };
};

const readState = async (deps: GatewayDeps, destination: string) => {
  try {
    const seen = await inspectDestination(deps, { destination, want: 'state' });
    return seen.want === 'state' ? seen.state : `the deployer knows no destination ${destination}`;
  } catch (error) {
    // Why nobody could look is what the page should say.
    if (error instanceof Problem) return error.message;
    throw error;
  }
};
