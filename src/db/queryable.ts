import type { ClientBase, Pool, QueryResult, QueryResultRow } from 'pg';

/** Whoever runs a statement: the caller decides about connection and transaction. */
export type Queryable = Pick<Pool, 'query'> | Pick<ClientBase, 'query'>;

/** A statement under a name, which people see in pg_stat_activity. */
export interface NamedStatement {
  name: string;
  text: string;
  values: unknown[];
}

/** Pools and connections that `createPool` was told to keep plans in. */
const planKeeping = new WeakSet<Queryable>();

export const keepPlans = (db: Queryable): void => void planKeeping.add(db);

/** Where plans are kept, Postgres prepares it under its name, once a connection, which saves planning it each time. */
export const queryNamed = async <Row extends QueryResultRow>(
  db: Queryable,
  { name, text, values }: NamedStatement,
): Promise<QueryResult<Row>> => {
  const shown = `/* ${name} */ ${text}`;
  return planKeeping.has(db) ? await db.query<Row>({ name, text: shown, values }) : await db.query<Row>(shown, values);
};
