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
      async startTurn(signal) {
        draining = signal;
        return await start();
      },
    });
    await expect(served).rejects.toThrow('Temporal is away');
    expect(draining?.aborted).toBe(true);
    await until(async () => (await countLocks()) === 0, { what: 'nobody holds the lock', timeoutMs: 5_000 });
  },
);
