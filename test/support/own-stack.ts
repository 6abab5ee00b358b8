import path from 'node:path';
import { Client } from 'pg';
import { migrate } from '../../src/db/migrate';
import { loadFleetSchema } from '../../dev/fleet-schema/load';
import { type RunningPostgres, startPostgres } from '../../dev/tools/postgres';
import { findTemporalCli } from '../../dev/tools/temporal-cli';
import { type RunningTemporal, startTemporalServer } from '../../dev/tools/temporal-server';
import { until } from './until';

/** Servers of one test alone, which it kills without hurting its neighbours. Each comes back with its data, on its port. */
export interface OwnStack {
  databaseUrl: string;
  temporalAddress: string;
  killTemporal(): Promise<void>;
  restartTemporal(): Promise<void>;
  /** SIGKILL of the postmaster: every session is cut off, and the next start replays the log. */
  killPostgres(): Promise<void>;
  restartPostgres(): Promise<void>;
  stop: () => Promise<void>;
}

const quiet = (): void => {};

export const startOwnStack = async (dir: string): Promise<OwnStack> => {
  const cli = await findTemporalCli({ say: quiet });
  // The machine keeps its power, so nothing that was written is lost without fsync.
  const postgresOptions = { dir: path.join(dir, 'postgres'), settings: { fsync: 'off', full_page_writes: 'off' }, say: quiet };
  const temporalOptions = { cli, dir: path.join(dir, 'temporal'), uiPort: null, say: quiet };
  let postgres: RunningPostgres = await startPostgres({ ...postgresOptions, port: 0, fresh: true });
  let temporal: RunningTemporal = await startTemporalServer({ ...temporalOptions, port: 0, fresh: true });
  await prepareDatabase(postgres.databaseUrl);

  return {
    databaseUrl: postgres.databaseUrl,
    temporalAddress: temporal.address,
    async killTemporal() {
      process.kill(await temporal.serverPid(), 'SIGKILL');
      await temporal.ended;
    },
    async restartTemporal() {
      temporal = await startTemporalServer({ ...temporalOptions, port: Number(temporal.address.split(':')[1]) });
    },
    async killPostgres() {
      process.kill(await postgres.serverPid(), 'SIGKILL');
      await postgres.ended;
    },
    async restartPostgres() {
      // Backends that have not yet noticed the end of their postmaster keep its shared memory, and the first start may find it in use.
      postgres = await until(async () => await startPostgres({ ...postgresOptions, port: postgres.port }), {
        what: 'Postgres starts again',
        timeoutMs: 60_000,
        everyMs: 500,
      });
    },
    async stop() {
      await Promise.all([postgres.stop(), temporal.stop()]);
    },
  };
};

const prepareDatabase = async (databaseUrl: string): Promise<void> => {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await loadFleetSchema(client, 'staging');
  } finally {
    await client.end();
  }
  await migrate(databaseUrl, { info: quiet, warn: quiet });
};
