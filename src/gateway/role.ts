/** Whose key it is; `worker` is a GH worker that calls back with the service secret. What each may do, the endpoints say. */
export type Role = 'product' | 'operator' | 'deployer' | 'read_only' | 'worker';

export const everyone = ['product', 'operator', 'deployer', 'read_only'] as const;
/** Who operates jobs may watch a deploy, but not run one; the product has no business with them. */
export const deployReaders = ['operator', 'deployer', 'read_only'] as const;
