/** Whose key it is; `worker` is a GH worker that calls back with the service secret. What each may do is in access.ts. */
export type Role = 'product' | 'operator' | 'deployer' | 'read_only' | 'worker';
