import type { Pool } from 'pg';
import { createReadiness } from '../../../src/db/readiness';
import { shareRead } from '../../../src/db/shared-read';

const never = new Promise<never>(() => undefined);

it('asks once for all who come while it is under way, and again when what it found is kept no more', async () => {
  let reads = 0;
  const read = shareRead(async () => await Promise.resolve(++reads), { keptMs: 0, timeoutMs: 60_000 });
  expect(await Promise.all([read(), read(), read()])).toEqual([1, 1, 1]);
  expect(await read()).toBe(2);
});

it('lets each go after its time, and asks no second time while the first is without an answer', async () => {
  let reads = 0;
  const read = shareRead(
    async () => {
      reads += 1;
      return await never;
    },
    { keptMs: 0, timeoutMs: 1 },
  );
  for (const _ of [1, 2, 3]) await expect(read()).rejects.toThrow('no answer in 1 ms');
  expect(reads).toBe(1);
});

it('takes one connection of a database that says nothing, however often readiness is asked for', async () => {
  let connections = 0;
  const connect = async (): Promise<never> => {
    connections += 1;
    return await never;
  };
  const read = createReadiness({
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Nothing else of it is used before a connection is there.
    pool: { connect } as unknown as Pool,
    checkTemporal: async () => await Promise.resolve(),
    limits: { probeTimeoutMs: 1, readinessKeptMs: 0 },
    needsTemporal: false,
    log: { info: () => undefined, warn: () => undefined },
  });
  for (const _ of [1, 2, 3]) expect(await read()).toMatchObject({ isReady: false, checks: { postgres: 'away', temporal: 'ok' } });
  expect(connections).toBe(1);
});
