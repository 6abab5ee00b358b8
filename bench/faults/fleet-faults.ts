import { rm } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { createPool } from '../../src/db/pool';
import { projectRoot } from '../../src/project-root';
import { createClient } from '../../src/temporal/connection';
import { formatFaultTable, runFaultRound, startFaultFixture, type FaultRow } from '../../test/support/fault-run';
import { startOwnStack } from '../../test/support/own-stack';

/**
 * The fault table of test/integration, each fault as often as it is told, on servers of its own: `node .yardmaster/build/bench/faults/fleet-faults.js
 * --runs 20`. Prints the table after every round, and ends with 1 when something promised is not so.
 */
const main = async (): Promise<void> => {
  const { values } = parseArgs({
    options: { runs: { type: 'string', default: '20' }, dir: { type: 'string', default: '.yardmaster/fleet-faults' } },
  });
  const dir = path.join(projectRoot(), values.dir);
  const stack = await startOwnStack(dir);
  const stopping: (() => Promise<unknown>)[] = [stack.stop];
  const table = new Map<string, FaultRow>();
  try {
    const temporal = { address: stack.temporalAddress, namespace: 'default' };
    const pool = createPool(stack.databaseUrl, { max: 10, applicationName: 'yardmaster-faults' });
    stopping.push(async () => await pool.end());
    const client = createClient({ ...temporal, apiKey: null, tls: null });
    stopping.push(async () => await client.connection.close());
    const fixture = await startFaultFixture({ databaseUrl: stack.databaseUrl, pool, client, temporal, dir: path.join(dir, 'logs') });
    stopping.push(fixture.stop);
    for (let round = 0; round < Number(values.runs); round++) {
      const startedAt = Date.now();
      await runFaultRound(fixture, { round, isRackAlone: true, table });
      console.log(`\nround ${round + 1}, ${Math.round((Date.now() - startedAt) / 1_000)} s\n${formatFaultTable(table)}`);
      for (const { fault, violations } of table.values()) for (const violation of violations) console.log(`  ${fault}: ${violation}`);
    }
  } finally {
    for (const end of stopping.toReversed()) await end();
    if ([...table.values()].every(({ violations }) => violations.length === 0)) await rm(dir, { recursive: true, force: true });
  }
  process.exitCode = [...table.values()].every(({ violations }) => violations.length === 0) ? 0 : 1;
};

void main();
