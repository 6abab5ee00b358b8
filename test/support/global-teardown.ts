import { rm } from 'node:fs/promises';
import { runAsAdmin } from './database';
import { started } from './started';

async function globalTeardown(): Promise<void> {
  if (started.stack) await started.stack.stop();
  else await dropTemplates();
  if (started.lockFile) await rm(started.lockFile, { force: true });
}

/** In a Postgres that is not ours the templates would pile up; databases of failed tests stay. */
async function dropTemplates(): Promise<void> {
  const { TEST_DATABASE_URL: adminUrl, TEST_RUN_ID: runId } = process.env;
  if (!adminUrl || !runId) return;
  await runAsAdmin(adminUrl, async (admin) => {
    const { rows } = await admin.query<{ name: string }>('select datname as name from pg_database where starts_with(datname, $1)', [
      `ym_${runId}_template_`,
    ]);
    for (const { name } of rows) await admin.query(`drop database ${admin.escapeIdentifier(name)}`);
  });
}

export = globalTeardown;
