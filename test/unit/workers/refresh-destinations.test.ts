import { setImmediate } from 'node:timers/promises';
import { createLog } from '../../../src/log';
import { refreshRegularly } from '../../../workers/refresh-destinations';
import { until } from '../../support/until';

const stopping = new AbortController();
afterAll(() => stopping.abort());

const hour = 3_600_000;

const start = (everyMs: number, look: () => void = () => undefined) => {
  const looks: (readonly string[] | null)[] = [];
  const { now } = refreshRegularly(
    async (only) => {
      looks.push(only);
      await setImmediate();
      look();
    },
    { everyMs, signal: stopping.signal, log: createLog({ level: 'error', process: 'test', destination: process.stderr, pretty: true }) },
  );
  const allWere = (times: number): boolean => looks.filter((only) => only === null).length >= times;
  const untilAllAre = async (times: number): Promise<true> =>
    await until(() => allWere(times) || null, { what: `all are looked at ${times} times`, timeoutMs: 5_000 });
  return { looks, now, untilAllAre };
};

test('all of them are looked at at once and every so often', async () => {
  expect(await start(10).untilAllAre(3)).toBe(true);
});

test('one is looked at whenever somebody asks', async () => {
  const { looks, now } = start(hour);
  now('staging');
  await until(() => looks.length === 2, { what: 'one more look', timeoutMs: 5_000 });
  expect(looks).toEqual([null, ['staging']]);
});

test('destinations that are asked for without end do not put off the look at all', async () => {
  const { now, untilAllAre } = start(10, () => now('staging'));
  expect(await untilAllAre(3)).toBe(true);
});

test('a look that fails is tried again at its next turn', async () => {
  const { untilAllAre } = start(10, () => {
    throw new Error('no SSH');
  });
  expect(await untilAllAre(3)).toBe(true);
});
