import type { Queryable } from './queryable';

/**
 * The instance id behind a sandbox id: VALET names its sandboxes where GH means workers (valet §1.2). Null for any other id, and where the
 * product's table is not in this database.
 */
export const findInstanceOfSandbox = async (db: Queryable, sandboxId: string): Promise<string | null> => {
  const { rows: tables } = await db.query<{ exists: boolean }>(`select to_regclass('sandboxes') is not null as exists`);
  if (tables[0]?.exists !== true) return null;
  const { rows } = await db.query<{ instance_id: string }>(`select instance_id from sandboxes where id = $1::uuid`, [sandboxId]);
  return rows[0]?.instance_id ?? null;
};
