import { createListener, type Listener } from '../../src/db/listen';
import { withDatabase } from '../support/database';
import { startTransactionPooler } from '../support/transaction-pooler';
import { until } from '../support/until';

const database = withDatabase({ variant: 'none' });
const channels = ['yardmaster_test'];

let listener: Listener;
let heard: string[];
let polls: number;
let warnings: { message: string; fields?: object }[];
beforeEach(() => {
  heard = [];
  polls = 0;
  warnings = [];
});
afterEach(() => listener.close());

test('hears a notification on a direct connection, without a warning', async () => {
  listener = listen(database.databaseUrl);
  await until(() => listener.isListening(), { what: 'it listens' });
  await notify('é 1');
  await until(() => heard.includes('é 1'), { what: 'the notification is heard' });
  expect(warnings).toEqual([]);
});

test('listens and polls again after the server ended its connection', async () => {
  listener = listen(database.databaseUrl, 60_000);
  await until(() => listener.isListening(), { what: 'it listens' });
  const pollsBefore = polls;
  await database.pool.query(
    `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'yardmaster-listen'`,
  );
  await until(() => !listener.isListening(), { what: 'it has noticed' });
  await until(() => listener.isListening(), { what: 'it listens again' });
  await until(() => polls > pollsBefore, { what: 'it has looked for what it missed' });
  await notify('after');
  await until(() => heard.includes('after'), { what: 'the notification is heard' });
  expect(warnings).toEqual([]);
});

test('warns once and goes on polling when no direct URL is set', async () => {
  listener = listen(undefined);
  await until(() => polls >= 3, { what: 'it has polled three times' });
  expect(listener.isListening()).toBe(false);
  expect(warnings).toEqual([expect.objectContaining({ fields: expect.objectContaining({ reason: 'DATABASE_DIRECT_URL is not set' }) })]);
});

test('finds out that a transaction pooler answers, warns once and goes on polling', async () => {
  const pooler = await startTransactionPooler(database.databaseUrl);
  try {
    listener = listen(pooler.databaseUrl);
    await until(() => warnings.length > 0, { what: 'it warns' });
    const pollsBefore = polls;
    await until(() => polls >= pollsBefore + 3, { what: 'it has polled three times more' });
    expect(listener.isListening()).toBe(false);
    expect(warnings).toEqual([
      expect.objectContaining({ fields: expect.objectContaining({ reason: expect.stringContaining('transaction pooler') }) }),
    ]);
  } finally {
    await pooler.stop();
  }
});

test('goes on polling after a poll that failed', async () => {
  listener = createListener({
    ...callbacks(),
    directUrl: undefined,
    channels,
    pollEveryMs: 20,
    onPoll: () => {
      polls += 1;
      throw new Error('the database is away');
    },
  });
  await until(() => polls >= 3, { what: 'it has polled three times' });
  expect(warnings.map(({ fields }) => fields)).toContainEqual({ reason: 'the database is away' });
});

function listen(directUrl: string | undefined, pollEveryMs = 50): Listener {
  return createListener({ ...callbacks(), directUrl, channels, pollEveryMs });
}

function callbacks() {
  return {
    onNotify: (_channel: string, payload: string) => void heard.push(payload),
    onPoll: () => void (polls += 1),
    log: { info: () => undefined, warn: (message: string, fields?: object) => warnings.push({ message, fields }) },
  };
}

async function notify(payload: string): Promise<void> {
  await database.pool.query('select pg_notify($1, $2)', [channels[0], payload]);
}
