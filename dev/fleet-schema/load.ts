import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Client } from 'pg';
import { projectRoot } from '../../src/project-root';

/** `main` is what the migrations make, `main-repaired` what live databases of main have, `staging` the newest branch. */
export type FleetSchemaVariant = 'main' | 'main-repaired' | 'staging';

/** Makes the neighbours' tables (GH's, and VALET's sandboxes) in an empty database, all or nothing. */
export async function loadFleetSchema(client: Pick<Client, 'query'>, variant: FleetSchemaVariant): Promise<void> {
  const sql = [await readSql(`${variant}.sql`), await readSql('valet.sql')];
  // One simple query is one transaction, so half a schema is never left behind.
  await client.query(sql.join('\n'));
}

/** The file with what it includes: `\ir` is psql's word for it, so that psql can load the same files. */
async function readSql(fileName: string): Promise<string> {
  // tsc copies no SQL, so the files are read from the source tree also by the compiled program.
  const text = await readFile(path.join(projectRoot(), 'dev', 'fleet-schema', fileName), 'utf8');
  const lines = text.split('\n').map(async (line) => {
    const included = /^\\ir (\S+)$/.exec(line)?.[1];
    return included ? readSql(included) : line;
  });
  return (await Promise.all(lines)).join('\n');
}
