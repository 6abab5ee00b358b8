import type { ClientBase, Pool } from 'pg';

/** Whoever runs a statement: the caller decides about connection and transaction. */
export type Queryable = Pick<Pool, 'query'> | Pick<ClientBase, 'query'>;
