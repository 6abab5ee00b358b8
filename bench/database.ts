import { Client } from 'pg';
import type { Queryable } from '../src/db/queryable';
import { migrate } from '../src/db/migrate';
import { loadFleetSchema } from '../dev/fleet-schema/load';

const silent = { info: () => undefined, warn: () => undefined };

/** The URL of another database of the same server. */
export const withDatabaseName = (databaseUrl: string, name: string): string => {
  const url = new URL(databaseUrl);
  url.pathname = `/${name}`;
  return url.href;
};

export const withClient = async <Result>(databaseUrl: string, work: (client: Client) => Promise<Result>): Promise<Result> => {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
};

/** An empty database with our tables and the neighbours'. One of the same name is thrown away. */
export const createFreshDatabase = async (serverUrl: string, name: string): Promise<string> => {
  await withClient(serverUrl, async (admin) => {
    await admin.query(`drop database if exists ${name} with (force)`);
    await admin.query(`create database ${name}`);
  });
  const databaseUrl = withDatabaseName(serverUrl, name);
  await withClient(databaseUrl, async (client) => await loadFleetSchema(client, 'main-repaired'));
  await migrate(databaseUrl, silent);
  return databaseUrl;
};

/** Registers workers whose heartbeats and probes stay fresh for the whole run, so that no sweep is needed beside the measure. */
export const registerWorkers = async (db: Queryable, workers: number): Promise<void> => {
  await db.query(
    `insert into gh_worker_registry (worker_id, status, ec2_instance_id, ec2_ip, last_heartbeat)
     select 'worker-' || n, 'active', 'i-' || n, host(inet '10.0.0.0' + n), now() + interval '1 day' from generate_series(1, $1::int) n`,
    [workers],
  );
  await db.query(
    `insert into yardmaster.host_probe (host, probed_at, is_api_up, is_worker_up, worker_id, dispatch_mode, is_running, is_draining, active_jobs,
       process_started_at)
     select ec2_ip, now() + interval '1 day', true, true, worker_id, 'legacy', true, false, 0, now() from gh_worker_registry`,
  );
};
