/** Whose words an answer uses: ours, GH's on the paths where the product expects GH, or ATM's on those of its dashboard. */
export type Dialect = 'native' | 'product' | 'atm';

const productPaths = /^\/(api\/v1\/gh|monitoring|worker)(\/|$)|^\/health\/?$/i;
const atmPaths = /^\/(version|metrics|containers|workers|fleet|deploys?|rollback|kamal|drain|cleanup|secrets|admin|internal)(\/|$)/i;

/** Express matches paths without regard to case, so this does too. */
export const dialectOf = (path: string): Dialect => (productPaths.test(path) ? 'product' : atmPaths.test(path) ? 'atm' : 'native');

/** What the dashboard reads from a browser; `/health` is the product's and the dashboard's. */
export const isDashboardPath = (path: string): boolean => dialectOf(path) === 'atm' || /^\/health\/?$/i.test(path);

/** Where GH workers call back, with the service secret instead of a key. */
export const isWorkerPath = (path: string): boolean => /^\/v1\/callbacks\/ghosthands(\/|$)/i.test(path);
