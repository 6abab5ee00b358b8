import { setTimeout as delay } from 'node:timers/promises';
import { createSessionClient, keptSession } from '../../src/db/connection';
import { waitForSessionLock, type SessionLock } from '../../src/db/session-lock';
import { withDatabase } from '../support/database';
import { until } from '../support/until';

const database = withDatabase();
const silent = { info: () => undefined, warn: () => undefined };

const wait = async (name: string, signal = new AbortController().signal, everyMs = 50): Promise<SessionLock | null> =>
  await waitForSessionLock({
    directUrl: database.databaseUrl,
    name,
    everyMs,
    log: silent,
    applicationName: `lock-${name}`,
    signal,
  });

const endSessions = async (name: string): Promise<void> =>
  void (await database.pool.query(`select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1`, [`lock-${name}`]));

test('one has it, and the next one gets it when that one gives it back', async () => {
  const first = await wait('a');
  let second: SessionLock | null = null;
  const waiting = wait('a').then((lock) => (second = lock));
  await delay(300);
  expect(second).toBeNull();
  await first?.release();
  await waiting;
  expect(second).not.toBeNull();
  await (second as SessionLock | null)?.release();
});

test('whose session ends hears of it at once, and another one has the lock', async () => {
  // Its own look would come in ten minutes.
  const first = await wait('b', undefined, 600_000);
  const isLost = new Promise((resolve) => first?.lost.addEventListener('abort', resolve));
  await endSessions('b');
  await isLost;
  const second = await wait('b');
  expect(second?.lost.aborted).toBe(false);
  await second?.release();
});

test('who waits keeps waiting through an outage, and stops when told', async () => {
  const first = await wait('c');
  const stopping = new AbortController();
  const waiting = wait('c', stopping.signal);
  await until(
    async () => {
      const { rowCount } = await database.pool.query(`select from pg_stat_activity where application_name = 'lock-c'`);
      return rowCount === 2;
    },
    { what: 'the second one waits' },
  );
  await first?.release();
  const second = await waiting;
  expect(second).not.toBeNull();
  const third = wait('c', stopping.signal);
  await endSessions('c');
  stopping.abort();
  const got = await third;
  await got?.release();
  await second?.release();
  expect(second?.lost.aborted).toBe(true);
});

test('its session keeps what the URL sets besides, and not what would end it', async () => {
  const url = `${database.databaseUrl}?options=${encodeURIComponent('-c statement_timeout=5 -c work_mem=7MB')}`;
  const client = createSessionClient(url, { applicationName: 'lock-d', options: { ...keptSession, tcp_keepalives_idle: '5' } });
  await client.connect();
  const shown = await client.query<Record<string, string>>(
    `select current_setting('statement_timeout') as statement, current_setting('work_mem') as memory, current_setting('tcp_keepalives_idle') as idle`,
  );
  await client.end();
  expect(shown.rows).toEqual([{ statement: '0', memory: '7MB', idle: '5' }]);
});
