import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { Connection } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time';
import { endPredecessor, startKeptProcess } from './kept-process';
import { claimPort } from './ports';

const server = { name: 'temporal', stopSignal: 'SIGTERM', stopWithinMs: 10_000 } as const;

/** Twice what a loaded 2-core machine needed with a history of 100,000 workflows. */
const readyWithinMs = 60_000;

/** As on a real cluster (design §9); the dev server's own default is 24 h. */
const retentionMs = 72 * 3_600_000;

export interface TemporalServerOptions {
  /** Path of the `temporal` program; see `findTemporalCli`. */
  cli: string;
  /** Holds the SQLite file and the log; kept between runs. */
  dir: string;
  /** 0 takes any free port. */
  port: number;
  /** 0 takes any free port; `null` starts no Web UI. */
  uiPort: number | null;
  fresh?: boolean;
  /** Dynamic configuration, `{ 'a.key': 'json' }`. */
  settings?: Record<string, string>;
  logLevel?: 'debug' | 'info' | 'warn' | 'error' | 'never';
  say: (line: string) => void;
}

export interface RunningTemporal {
  address: string;
  /** Empty without Web UI. */
  uiUrl: string;
  /** For tests that kill it. */
  serverPid: () => Promise<number>;
  /** Settles when the server has ended, whoever ended it. */
  ended: Promise<void>;
  stop: () => Promise<void>;
}

/** Starts the development server with a state that survives a kill, and waits until it serves. */
export async function startTemporalServer(options: TemporalServerOptions): Promise<RunningTemporal> {
  const dir = path.resolve(options.dir);
  await mkdir(dir, { recursive: true });
  await endPredecessor({ ...server, dir });
  const dbFile = path.join(dir, 'temporal.db');
  if (options.fresh) await Promise.all(['', '-wal', '-shm'].map((suffix) => rm(`${dbFile}${suffix}`, { force: true })));

  const port = await claimPort({ port: options.port, purpose: 'Temporal', changeWith: '--temporal-port' });
  const uiPort =
    options.uiPort === null
      ? null
      : await claimPort({ port: options.uiPort, purpose: "Temporal's Web UI", changeWith: '--temporal-ui-port' });
  const kept = await startKeptProcess({
    ...server,
    dir,
    command: options.cli,
    args: [
      ...['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(port), '--log-level', options.logLevel ?? 'warn'],
      ...(uiPort === null ? ['--headless'] : ['--ui-port', String(uiPort), '--ui-disable-news-fetch']),
      // Survives a kill, and 19 instead of 5 five-activity workflows per second (design §9).
      ...['--db-filename', dbFile, '--sqlite-pragma', 'journal_mode=WAL', '--sqlite-pragma', 'synchronous=NORMAL'],
      ...Object.entries(options.settings ?? {}).flatMap(([key, value]) => ['--dynamic-config-value', `${key}=${value}`]),
    ],
  });
  const address = `127.0.0.1:${port}`;
  try {
    await kept.untilReady(() => serves(address), readyWithinMs);
  } catch (error) {
    await kept.stop();
    throw error;
  }
  const uiUrl = uiPort === null ? '' : `http://127.0.0.1:${uiPort}`;
  options.say(`Temporal: ready on ${address}${uiUrl && `, Web UI ${uiUrl}`}, data in ${dbFile}`);
  return { address, uiUrl, serverPid: kept.serverPid, ended: kept.ended, stop: kept.stop };
}

/** True once the namespace `default` can be changed, which needs every part of the server. */
async function serves(address: string): Promise<boolean> {
  let connection: Connection | undefined;
  try {
    connection = await Connection.connect({ address, connectTimeout: 1_000 });
    await connection.withDeadline(Date.now() + 2_000, () =>
      connection!.workflowService.updateNamespace({
        namespace: 'default',
        config: { workflowExecutionRetentionTtl: msToTs(retentionMs) },
      }),
    );
    return true;
  } catch {
    // Not up yet; the caller's deadline ends the waiting.
    return false;
  } finally {
    await connection?.close();
  }
}
