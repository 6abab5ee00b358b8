import type { Pool, PoolClient } from 'pg';
import type { Queryable } from '../../src/db/queryable';

/** A statement as Postgres carried it out, as far as it read tables that grow with what has ended; those of the fleet stay as small as it is. */
export interface StatementPlan {
  text: string;
  /** Tables that were read from end to end. */
  scannedWhole: string[];
  /** Rows that its scans looked at, kept or not. */
  rowsRead: number;
}

/** The last is the server's own list of databases, beside its activity. */
const fleetTables = ['assigner', 'gh_worker_registry', 'host_probe', 'host_hold', 'sandboxes', 'sweep_report', 'pg_database'];

/** Runs what `work` asks for, each statement with its plan, and undoes all of it. */
export const explainAll = async (pool: Pool, work: (db: Queryable) => Promise<unknown>): Promise<StatementPlan[]> => {
  const plans: StatementPlan[] = [];
  const client = await pool.connect();
  try {
    await client.query('begin');
    await work(createExplaining(client, plans));
  } finally {
    await client.query('rollback');
    client.release();
  }
  return plans;
};

const createExplaining = (client: PoolClient, plans: StatementPlan[]): Queryable =>
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- src/db calls `query` in this one of its many forms.
  ({
    query: async (text: string, values: unknown[] = []) => {
      await client.query('savepoint before_plan');
      const { rows } = await client.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(`explain (analyze, format json) ${text}`, values);
      await client.query('rollback to savepoint before_plan');
      const root = rows[0]?.['QUERY PLAN'][0].Plan;
      if (root !== undefined) plans.push(summarize(text, [...walk(root)]));
      return await client.query(text, values);
    },
  }) as unknown as Queryable;

interface PlanNode {
  'Node Type': string;
  'Relation Name'?: string;
  'Actual Rows': number;
  'Actual Loops': number;
  'Rows Removed by Filter'?: number;
  'Rows Removed by Index Recheck'?: number;
  Plans?: PlanNode[];
}

function* walk(node: PlanNode): Generator<PlanNode> {
  yield node;
  for (const child of node.Plans ?? []) yield* walk(child);
}

const summarize = (text: string, nodes: PlanNode[]): StatementPlan => {
  const scans = nodes.filter((node) => {
    const table = node['Relation Name'];
    return table !== undefined && node['Node Type'].endsWith('Scan') && !fleetTables.includes(table);
  });
  const readBy = (node: PlanNode): number =>
    (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0) + (node['Rows Removed by Index Recheck'] ?? 0)) * node['Actual Loops'];
  return {
    text,
    scannedWhole: scans.filter((node) => node['Node Type'] === 'Seq Scan').map((node) => node['Relation Name'] ?? ''),
    rowsRead: scans.reduce((sum, node) => sum + readBy(node), 0),
  };
};
