import { assert, boolean, constantFrom, date, integer, option, property, record, string } from 'fast-check';
import { judgeCallback, readRetryAfterMs, type CallbackReply } from '../../../src/domain/callback-answer';

const failed = (status: number | null, retryAfterMs: number | null = null): CallbackReply => ({
  kind: 'failed',
  error: `HTTP ${status}`,
  status,
  retryAfterMs,
});
const progress = { isFinal: false, isOutdated: false, isOverdue: false };
const final = { isFinal: true, isOutdated: false, isOverdue: false };

const forGood = [400, 406, 409, 411, 412, 413, 415, 417, 418, 422, 424, 428, 431, 451, 499];
const forTheReceiver = [301, 302, 307, 308, 401, 402, 403, 404, 405, 407, 414, 421, 426];
const forNow = [null, 408, 423, 425, 429, 500, 501, 502, 503, 504, 599];

describe('a progress message', () => {
  it.each(forGood)('that is refused with %i is left out at once', (status) => {
    expect(judgeCallback(failed(status), progress)).toEqual({
      act: 'settle',
      settledAs: 'refused',
      error: `HTTP ${status}`,
      endsGeneration: false,
    });
  });

  it.each(forTheReceiver)('that is refused with %i is tried again, until something waits that tells more', (status) => {
    expect(judgeCallback(failed(status), progress)).toMatchObject({ act: 'try_again', isRefused: true });
    expect(judgeCallback(failed(status), { ...progress, isOutdated: true })).toMatchObject({ settledAs: 'refused', endsGeneration: false });
  });

  it.each(forNow)('that fails with %s keeps its place, whatever waits behind it', (status) => {
    expect(judgeCallback(failed(status), { ...progress, isOutdated: true })).toMatchObject({ act: 'try_again', isRefused: false });
  });
});

describe('the final message', () => {
  it.each([...forGood, ...forTheReceiver])('that is refused with %i is tried to its deadline', (status) => {
    expect(judgeCallback(failed(status), final)).toMatchObject({ act: 'try_again', isRefused: true });
    expect(judgeCallback(failed(status), { ...final, isOverdue: true })).toMatchObject({ settledAs: 'given_up' });
  });

  it.each([...forGood, ...forTheReceiver])('that is refused with %i gives way to a later generation', (status) => {
    expect(judgeCallback(failed(status), { ...final, isOutdated: true })).toMatchObject({ settledAs: 'refused' });
  });
});

it.each([progress, final])('410 ends the generation (%j)', (place) => {
  expect(judgeCallback(failed(410), place)).toEqual({ act: 'settle', settledAs: 'refused', error: 'HTTP 410', endsGeneration: true });
});

it('P5: no refusal of a progress message holds the final one back', () => {
  assert(
    property(integer({ min: 300, max: 499 }), boolean(), (status, isOverdue) => {
      const verdict = judgeCallback(failed(status), { isFinal: false, isOutdated: true, isOverdue });
      const isMomentary = verdict.act === 'try_again' || verdict.settledAs === 'given_up';
      expect(isMomentary).toBe(forNow.includes(status));
    }),
  );
});

it('P5: nothing but its deadline, 410 or a later generation leaves a final message out', () => {
  const status = option(integer({ min: 300, max: 599 }).filter((each) => each !== 410));
  assert(
    property(record({ status, retryAfterMs: option(integer({ min: 0 })) }), ({ status: answered, retryAfterMs }) => {
      expect(judgeCallback(failed(answered, retryAfterMs), final)).toMatchObject({ act: 'try_again', notBeforeMs: retryAfterMs ?? 0 });
    }),
  );
});

describe('Retry-After', () => {
  const now = new Date('2026-07-01T12:00:00.000Z');
  const read = (retryAfter: string | undefined, answeredAt?: string): number | null =>
    readRetryAfterMs({ retryAfter, date: answeredAt }, { now, maxMs: 3_600_000 });

  it.each([
    ['0', 0],
    ['30', 30_000],
    [' 120 ', 120_000],
    ['86400', 3_600_000],
    ['9'.repeat(400), 3_600_000],
    ['Wed, 01 Jul 2026 12:00:30 GMT', 30_000],
    ['Wednesday, 01-Jul-26 12:00:30 GMT', 30_000],
    ['Wed Jul  1 12:00:30 2026', 30_000],
    ['Wed, 01 Jul 2026 11:00:00 GMT', 0],
    ['Thu, 01 Jul 2027 12:00:00 GMT', 3_600_000],
    ['Wed, 41 Jul 2026 12:00:00 GMT', null],
    ['-1', null],
    ['1.5', null],
    ['soon', null],
    ['2026-07-01T12:00:30Z', null],
    ['', null],
    [undefined, null],
  ])('%s means %s ms', (text, waitMs) => {
    expect(read(text)).toBe(waitMs);
  });

  it('as a date is measured by the clock that wrote it', () => {
    expect(read('Wed, 01 Jul 2026 09:00:10 GMT', 'Wed, 01 Jul 2026 09:00:00 GMT')).toBe(10_000);
    expect(read('Wed, 01 Jul 2026 12:00:10 GMT', 'yesterday')).toBe(10_000);
  });

  it('is within its bounds, whatever it says', () => {
    const texts = constantFrom('1', '4294967296', 'Fri, 31 Dec 9999 23:59:59 GMT', 'Thu, 01 Jan 1970 00:00:00 GMT');
    assert(
      property(option(string()), texts, date({ noInvalidDate: true }), (noise, text, at) => {
        for (const each of [noise ?? undefined, text]) {
          const waitMs = readRetryAfterMs({ retryAfter: each, date: undefined }, { now: at, maxMs: 60_000 });
          expect(waitMs === null || (waitMs >= 0 && waitMs <= 60_000)).toBe(true);
        }
      }),
    );
  });
});
