import type { Actor } from '../db/audit';
import { dialectOf } from './dialect';
import type { RequestFacts } from './request-facts';

/** Whom the audit names for what this request does. */
export const actorOf = ({ caller, address, route }: Pick<RequestFacts, 'caller' | 'address' | 'route'>): Actor => ({
  actor: caller?.name ?? '',
  source: sourceOf[dialectOf(route ?? '')],
  address,
});

const sourceOf = { native: 'rest', product: 'product', atm: 'atm' } as const;
