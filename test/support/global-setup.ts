import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { projectRoot } from '../../src/project-root';
import { migrate } from '../../src/db/migrate';
import { type FleetSchemaVariant, loadFleetSchema } from '../../dev/fleet-schema/load';
import { type Stack, startStack } from '../../dev/tools/stack';
import { runAsAdmin, templateName, withDatabaseName } from './database';
import { started } from './started';
import { workflowBundle } from './workflow-bundle';

const variants: FleetSchemaVariant[] = ['main', 'main-repaired', 'staging'];

/**
 * Runs once before the tests that need servers (jest.config.js), and only when one of them is chosen. Servers that TEST_DATABASE_URL and
 * TEST_TEMPORAL_ADDRESS name are used as they are; else both are started here, on free ports.
 */
async function globalSetup(): Promise<void> {
  const say = (line: string) => process.stderr.write(`${line}\n`);
  if (!process.env.TEST_DATABASE_URL || !process.env.TEST_TEMPORAL_ADDRESS) {
    const stack = await startOwnStack(say);
    process.env.TEST_DATABASE_URL = stack.databaseUrl;
    process.env.TEST_TEMPORAL_ADDRESS = stack.temporalAddress;
    process.env.TEST_TEMPORAL_CLI = stack.temporalCli;
  }
  const runId = randomBytes(3).toString('hex');
  process.env.TEST_RUN_ID = runId;
  await Promise.all([makeTemplates(process.env.TEST_DATABASE_URL, runId), workflowBundle()]);
}

async function startOwnStack(say: (line: string) => void): Promise<Stack> {
  const dir = await claimDirectory();
  const stack = await startStack({
    dir,
    postgresPort: 0,
    temporalPort: 0,
    temporalUiPort: null,
    fresh: true,
    // A killed server loses nothing by this, only a machine that loses its power.
    postgresSettings: { fsync: 'off', full_page_writes: 'off', max_connections: '600' },
    say,
  });
  started.stack = stack;
  return stack;
}

/** Several runs may go on in one clone: each takes the first directory that no living run holds. */
async function claimDirectory(): Promise<string> {
  for (let number = 1; number <= 20; number++) {
    const dir = path.join(projectRoot(), '.yardmaster', number === 1 ? 'test' : `test-${number}`);
    await mkdir(dir, { recursive: true });
    const lockFile = path.join(dir, 'run.pid');
    const holder = Number(await readFile(lockFile, 'utf8').catch(() => ''));
    if (holder && isAlive(holder)) continue;
    await rm(lockFile, { force: true });
    const lock = await open(lockFile, 'wx').catch(() => undefined);
    if (!lock) continue;
    await lock.writeFile(String(process.pid));
    await lock.close();
    started.lockFile = lockFile;
    return dir;
  }
  throw new Error('Twenty test runs hold the directories .yardmaster/test…; end some of them');
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    // No such process.
    return false;
  }
}

async function makeTemplates(adminUrl: string, runId: string): Promise<void> {
  await Promise.all(
    variants.map(async (variant) => {
      const name = templateName(runId, variant);
      const databaseUrl = withDatabaseName(adminUrl, name);
      await runAsAdmin(adminUrl, (admin) => admin.query(`create database ${name} template template0`));
      await runAsAdmin(databaseUrl, (client) => loadFleetSchema(client, variant));
      await migrate(databaseUrl, { info: () => undefined, warn: (message) => process.stderr.write(`${message}\n`) });
    }),
  );
}

export = globalSetup;
