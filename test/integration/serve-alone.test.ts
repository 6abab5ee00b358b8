import { serveAlone } from '../../workers/serve-alone';
import { createLog } from '../../src/log';
import { withDatabase } from '../support/database';
import { until } from '../support/until';

const database = withDatabase();
const log = createLog({ level: 'error', process: 'test' });

const countLocks = async (): Promise<number> => {
  const { rows } = await database.pool.query<{ count: number }>(
    `select count(*)::int as count from pg_stat_activity where application_name = 'yardmaster-deployer-lock'
     and datname = current_database()`,
  );
  return rows[0]?.count ?? -1;
};

test.each([
  ['cannot begin', async () => await Promise.reject(new Error('Temporal is away'))],
  [
    'ends by a fault',
    async () =>
      await Promise.resolve({
        run: async () => await Promise.reject(new Error('Temporal is away')),
        shutdown: () => undefined,
        getState: () => 'FAILED' as const,
      }),
  ],
])(
  'a turn that %s gives the lock back and ends what it has begun, so that the process can end and another one works',
  async (_how, start) => {
    let draining: AbortSignal | undefined;
    const served = serveAlone({
      lock: { directUrl: database.databaseUrl, name: 'turns', everyMs: 50 },
      log,
      stopping: new AbortController().signal,
      isReachable: async () => await Promise.resolve(true),
      async startTurn(signal) {
        draining = signal;
        return await start();
      },
    });
    await expect(served).rejects.toThrow('Temporal is away');
    expect(draining?.aborted).toBe(true);
    await until(async () => (await countLocks()) === 0, { what: 'nobody holds the lock' });
  },
);

describe('a turn whose lock somebody else has taken', () => {
  const play = async (isReachable: () => Promise<boolean>) => {
    const stopping = new AbortController();
    const signals: { draining: AbortSignal; cutOff: AbortSignal }[] = [];
    let end = (): void => {};
    const running = new Promise<void>((resolve) => (end = resolve));
    const served = serveAlone({
      lock: { directUrl: database.databaseUrl, name: 'taken', everyMs: 20 },
      log,
      stopping: stopping.signal,
      isReachable,
      async startTurn(draining, cutOff) {
        signals.push({ draining, cutOff });
        return await Promise.resolve({ run: async () => await running, shutdown: () => undefined, getState: () => 'RUNNING' as const });
      },
    });
    await until(() => signals.length === 1, { what: 'the turn begins' });
    const other = await database.pool.connect();
    const taken = other.query(`select pg_advisory_lock(hashtext('taken'))`);
    await until(
      async () => {
        await database.pool.query(
          `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'yardmaster-deployer-lock' and datname = current_database()`,
        );
        return signals[0]?.draining.aborted;
      },
      { what: 'the lock is lost' },
    );
    await taken;
    return {
      cutOff: signals[0]?.cutOff,
      async stop() {
        stopping.abort();
        end();
        await served;
        await other.query('select pg_advisory_unlock_all()');
        other.release();
      },
    };
  };

  test('goes on while Temporal hears it, which gives its work to nobody else', async () => {
    let asked = 0;
    const { cutOff, stop } = await play(async () => await Promise.resolve(++asked > 0));
    await until(() => asked > 10, { what: 'Temporal is asked' });
    expect(cutOff?.aborted).toBe(false);
    await stop();
  });

  test('ends what it runs when nobody hears it any more', async () => {
    const { cutOff, stop } = await play(async () => await Promise.resolve(false));
    await until(() => cutOff?.aborted, { what: 'it is cut off' });
    expect(cutOff?.reason).toMatchObject({ name: 'CutOffError' });
    await stop();
  });
});
