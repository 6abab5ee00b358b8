import { setImmediate } from 'node:timers/promises';
import { createLog } from '../../../src/log';
import { refreshRegularly } from '../../../workers/refresh-destinations';
import { until } from '../../support/until';

const stopping = new AbortController();
afterAll(() => stopping.abort());

const hour = 3_600_000;

const start = (everyMs: number, onRefresh: () => void = () => undefined) => {
  const refreshes: (readonly string[] | null)[] = [];
  const { now } = refreshRegularly(
    async (only) => {
      refreshes.push(only);
      await setImmediate();
      onRefresh();
    },
    { everyMs, signal: stopping.signal, log: createLog({ level: 'error', process: 'test', destination: process.stderr, pretty: true }) },
  );
  const allWere = (times: number): boolean => refreshes.filter((only) => only === null).length >= times;
  const untilAllAre = async (times: number): Promise<true> =>
    await until(() => allWere(times) || null, { what: `all are refreshed ${times} times`, timeoutMs: 5_000 });
  return { refreshes, now, untilAllAre };
};

test('all of them are refreshed at once and every so often', async () => {
  expect(await start(10).untilAllAre(3)).toBe(true);
});

test('one is refreshed whenever somebody asks', async () => {
  const { refreshes, now } = start(hour);
  now('staging');
  await until(() => refreshes.length === 2, { what: 'one more refresh', timeoutMs: 5_000 });
  expect(refreshes).toEqual([null, ['staging']]);
});

test('destinations that are asked for without end do not put off the refresh of all', async () => {
  const { now, untilAllAre } = start(10, () => now('staging'));
  expect(await untilAllAre(3)).toBe(true);
});

test('a refresh that fails is tried again at its next turn', async () => {
  const { untilAllAre } = start(10, () => {
    throw new Error('no SSH');
  });
  expect(await untilAllAre(3)).toBe(true);
});
