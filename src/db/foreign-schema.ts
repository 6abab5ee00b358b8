import { foreignTables } from '../contracts/foreign-schema';
import { compareForeignSchema, type ActualTable, type Finding } from '../domain/foreign-schema';
import type { DbLog } from './pool';
import type { Queryable } from './queryable';

/** The neighbours' tables lack what we cannot do without; the message says what. */
export class ForeignSchemaUnusable extends Error {
  override readonly name = 'ForeignSchemaUnusable';

  constructor(readonly findings: readonly Finding[]) {
    super(`The neighbours' tables cannot be used: ${findings.map(({ what }) => what).join('; ')}`);
  }
}

/** Compares the neighbours' tables with what we need, logs what is missing and what is lost by it, and throws when we cannot run. */
export const checkForeignSchema = async (db: Queryable, log: DbLog): Promise<Finding[]> => {
  const findings = await readForeignFindings(db);
  for (const { severity, what, lost } of findings) {
    const say = severity === 'note' ? log.info.bind(log) : log.warn.bind(log);
    say(`The database of the fleet: ${what}. ${lost}`, { severity });
  }
  const fatal = findings.filter(({ severity }) => severity === 'fatal');
  if (fatal.length > 0) throw new ForeignSchemaUnusable(fatal);
  return findings;
};

/** Reads catalogs only: it changes nothing, and takes no lock on the tables. */
export const readForeignFindings = async (db: Queryable): Promise<Finding[]> => {
  const tables: Record<string, ActualTable | null> = {};
  for (const table of Object.keys(foreignTables)) tables[table] = await readTable(db, table);
  const { rows } = await db.query<{ canReadAllQueries: boolean; canEndAllBackends: boolean }>(
    `select rolsuper or pg_has_role('pg_read_all_stats', 'usage') as "canReadAllQueries",
       rolsuper or pg_has_role('pg_signal_backend', 'usage') as "canEndAllBackends"
     from pg_roles where rolname = current_user`,
  );
  const [role] = rows;
  return compareForeignSchema({
    tables,
    canReadAllQueries: role?.canReadAllQueries === true,
    canEndAllBackends: role?.canEndAllBackends === true,
  });
};

interface TableRow {
  columns: ActualTable['columns'] | null;
  checks: { column: string; type: string; expression: string }[] | null;
  unique: string[][] | null;
  triggers: ActualTable['triggers'] | null;
  privileges: string[];
  isHiddenByPolicy: boolean;
}

const readTable = async (db: Queryable, table: string): Promise<ActualTable | null> => {
  const { rows } = await db.query<TableRow>(tableStatement, [table]);
  const [row] = rows;
  if (row === undefined) return null;
  return {
    columns: row.columns ?? {},
    refused: await findRefusedValues(db, table, row.checks ?? []),
    unique: row.unique ?? [],
    triggers: row.triggers ?? [],
    privileges: row.privileges,
    isHiddenByPolicy: row.isHiddenByPolicy,
  };
};

/** The name resolves as in our statements, through the search path. */
const tableStatement = `
select
  (select jsonb_object_agg(a.attname, jsonb_build_object('type', t.typname,
      'lengthMax', case when t.typname in ('varchar', 'bpchar') and a.atttypmod > 4 then a.atttypmod - 4 end,
      'isMandatory', a.attnotnull and not a.atthasdef and a.attidentity = '' and a.attgenerated = ''))
    from pg_attribute a join pg_type t on t.oid = a.atttypid
    where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns,
  (select jsonb_agg(jsonb_build_object('column', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
      'expression', pg_get_expr(k.conbin, k.conrelid)))
    from pg_constraint k join pg_attribute a on a.attrelid = c.oid and a.attnum = k.conkey[1]
    where k.conrelid = c.oid and k.contype = 'c' and cardinality(k.conkey) = 1) as checks,
  (select jsonb_agg((select jsonb_agg(a.attname) from unnest(i.indkey[0:i.indnkeyatts - 1]) as key(attnum)
      join pg_attribute a on a.attrelid = c.oid and a.attnum = key.attnum))
    from pg_index i where i.indrelid = c.oid and i.indisunique and i.indisvalid and i.indpred is null and i.indexprs is null) as "unique",
  -- tgtype: bit 2 is INSERT, bit 4 is UPDATE. 'D' is disabled; 'R' fires in replicas only.
  (select jsonb_agg(jsonb_build_object('event', event.name, 'source', p.prosrc))
    from pg_trigger t join pg_proc p on p.oid = t.tgfoid
    join (values ('insert', 4), ('update', 16)) as event(name, bit) on t.tgtype::int & event.bit <> 0
    where t.tgrelid = c.oid and not t.tgisinternal and t.tgenabled in ('O', 'A')) as triggers,
  (select array_agg(privilege) from unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE']) as privilege
    where has_table_privilege(c.oid, privilege)) as privileges,
  row_security_active(c.oid) and not exists (
    select from pg_policy y where y.polrelid = c.oid and y.polpermissive and y.polcmd = '*'
      and (y.polroles = '{0}' or exists (select from unnest(y.polroles) as role(oid) where pg_has_role(role.oid, 'usage')))
      and pg_get_expr(y.polqual, y.polrelid) = 'true') as "isHiddenByPolicy"
from pg_class c where c.oid = to_regclass($1)`;

/**
 * Asks each CHECK of a single column whether it lets the values pass that we need: texts of constraints differ where their meaning is the
 * same. The expression comes from the catalog, where only the table's owner can put one.
 */
const findRefusedValues = async (
  db: Queryable,
  table: string,
  checks: NonNullable<TableRow['checks']>,
): Promise<ActualTable['refused']> => {
  const refused: Record<string, string[]> = {};
  for (const { column, type, expression } of checks) {
    const values = (foreignTables[table]?.values ?? []).filter((need) => need.column === column).flatMap((need) => need.values);
    if (values.length === 0) continue;
    const { rows } = await db.query<{ value: string }>(
      `select wanted.value from unnest($1::text[]) as wanted(value)
       cross join lateral (select wanted.value::${type} as "${column.replaceAll('"', '""')}") as ${table} where (${expression}) is false`,
      [values],
    );
    refused[column] = [...(refused[column] ?? []), ...rows.map(({ value }) => value)];
  }
  return refused;
};
