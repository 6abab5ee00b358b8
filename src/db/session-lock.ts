import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from 'pg';
import { createSessionClient, keptSession } from './connection';
import type { DbLog } from './pool';

export interface SessionLock {
  /** Aborted when the session that held it has ended, for whatever reason: somebody else may have it by now. */
  lost: AbortSignal;
  release(): Promise<void>;
}

export interface SessionLockOptions {
  /** Not a pooler's: a session lock belongs to a connection. */
  directUrl: string;
  name: string;
  /** Between two tries to get it, and between two checks whether its session still lives. */
  everyMs: number;
  log: DbLog;
  applicationName: string;
  /** Gives up waiting. */
  signal: AbortSignal;
}

const sessionOptions = {
  // So the server ends the session of a machine that vanished without a word within 11 s, and the next one has the lock.
  tcp_keepalives_idle: '5',
  tcp_keepalives_interval: '2',
  tcp_keepalives_count: '3',
  ...keptSession,
};

/** Waits until the lock is ours; null when the signal came first. */
export const waitForSessionLock = async (options: SessionLockOptions): Promise<SessionLock | null> => {
  let logged = '';
  const logChange = (what: string, fields: object = {}): void => {
    if (logged !== what) options.log.info(what, { lock: options.name, ...fields });
    logged = what;
  };
  while (!options.signal.aborted) {
    const client = createSessionClient(options.directUrl, { applicationName: options.applicationName, options: sessionOptions });
    try {
      await client.connect();
      const lost = watchEnd(client);
      while (!options.signal.aborted && !lost.signal.aborted) {
        const { rows } = await client.query<{ is_ours: boolean }>(`select pg_try_advisory_lock(hashtext($1)) as is_ours`, [options.name]);
        if (rows[0]?.is_ours === true) return holdLock(client, lost, options);
        logChange('Stands by: another process has the lock');
        await pause(options);
      }
    } catch (error) {
      logChange('The lock cannot be asked for and is tried again', { reason: error instanceof Error ? error.message : String(error) });
    }
    await endQuietly(client);
    await pause(options);
  }
  return null;
};

const holdLock = (client: Client, lost: AbortController, { everyMs }: SessionLockOptions): SessionLock => {
  // The end of a half-dead connection is only noticed by asking.
  let isAsked = false;
  const prove = (): void => {
    if (isAsked) return;
    isAsked = true;
    void client
      .query('select 1')
      .catch(() => lost.abort())
      .finally(() => (isAsked = false));
  };
  const proof = setInterval(prove, everyMs);
  lost.signal.addEventListener('abort', () => {
    clearInterval(proof);
    void endQuietly(client);
  });
  return {
    lost: lost.signal,
    async release() {
      clearInterval(proof);
      await endQuietly(client);
    },
  };
};

const watchEnd = (client: Client): AbortController => {
  const lost = new AbortController();
  client.once('end', () => lost.abort());
  return lost;
};

const endQuietly = async (client: Client): Promise<void> => {
  await Promise.race([client.end().catch(() => undefined), delay(1_000, undefined, { ref: false })]);
};

const pause = async ({ everyMs, signal }: SessionLockOptions): Promise<void> => {
  await delay(everyMs, undefined, { signal }).catch(() => undefined);
};
