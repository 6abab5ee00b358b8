/** Whose words an answer uses: ours, or GH's on the paths where the product expects GH. */
export type Dialect = 'native' | 'product';

/** Express matches paths without regard to case, so this does too. */
export const dialectOf = (path: string): Dialect => (/^\/(api\/v1\/gh(\/|$)|health\/?$)/i.test(path) ? 'product' : 'native');

/** Where GH workers call back, with the service secret instead of a key. */
export const isWorkerPath = (path: string): boolean => /^\/v1\/callbacks\/ghosthands(\/|$)/i.test(path);
