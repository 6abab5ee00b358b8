import { ApplicationFailure } from '@temporalio/common';
import { PassThrough } from 'node:stream';
import { sensitive } from '../../src/domain/sensitive';
import { createLog, type Log } from '../../src/log';

const service = sensitive('the-service-secret');

interface Line {
  [field: string]: unknown;
}

/** Writes with `write` and answers the lines that came out. */
function linesOf(write: (log: Log) => void): { lines: Line[]; text: string } {
  const destination = new PassThrough();
  write(createLog({ level: 'info', process: 'gateway', secrets: [service], destination }));
  const text = String(destination.read() ?? '');
  return {
    text,
    lines: text
      .trim()
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line)),
  };
}

it('writes one JSON line with time, level, process and the fields of the child', () => {
  const { lines } = linesOf((log) => log.child({ jobId: 'j1' }).info('accepted', { workerId: 'w1' }));
  expect(lines).toEqual([
    { time: expect.stringMatching(/Z$/), level: 'info', process: 'gateway', message: 'accepted', jobId: 'j1', workerId: 'w1' },
  ]);
});

it('writes nothing below its level', () => {
  expect(linesOf((log) => log.debug('quiet')).lines).toEqual([]);
});

it('lets no field replace its own', () => {
  const { lines } = linesOf((log) => log.info('m', { process: 'other', time: 'never' }));
  expect(lines).toMatchObject([{ process: 'gateway', message: 'm' }]);
  expect(lines[0]?.['time']).not.toBe('never');
});

it('lets no secret and no personal data out, however deep or disguised', () => {
  const { text } = linesOf((log) => {
    log.info(`sent with ${service.unredacted()} to https://a.example?token=leak-1`, {
      serviceKey: 'leak-2',
      nested: [{ headers: { authorization: 'leak-3' } }],
    });
    log
      .child({ password: 'leak-4' })
      .warn('x', { url: new URL('https://u:leak-5@a.example'), kept: service, profile: { first_name: 'leak-6' } });
    log.error('failed', {
      error: new Error(`no: ${service.unredacted()}`, { cause: new Error('?secret=leak-7') }),
      body: Buffer.from('leak-8'),
    });
    log.error('row', {
      error: Object.assign(new Error('violates'), { detail: 'Failing row contains (leak-9)', config: { headers: 'leak-10' } }),
    });
    log.error(Object.assign(new Error('whole error'), { detail: 'leak-11' }));
    log.error('beside', Object.assign(new Error('whole error'), { detail: 'leak-13' }));
    log.info('keys', { map: new Map([['token=leak-12', new Set(['leak@leak.example'])]]) });
  });
  expect(text).not.toMatch(/leak|the-service-secret/);
});

it('tells an error with its type, code and cause', () => {
  const cause = Object.assign(new Error('duplicate key'), { code: '23505', constraint: 'job_pkey' });
  const { lines } = linesOf((log) =>
    log.error('failed', { error: ApplicationFailure.create({ message: 'no job', type: 'JobNotFound', nonRetryable: true, cause }) }),
  );
  expect(lines[0]?.['error']).toMatchObject({
    name: 'ApplicationFailure',
    message: 'no job',
    type: 'JobNotFound',
    nonRetryable: true,
    cause: { name: 'Error', message: 'duplicate key', code: '23505', constraint: 'job_pkey' },
    stack: expect.stringContaining('log.test'),
  });
});

it('survives circles, huge values and what JSON cannot say', () => {
  const circle: Record<string, unknown> = {
    many: Array.from({ length: 500 }, (_, index) => index),
    big: 2n ** 70n,
    text: 'x'.repeat(20_000),
  };
  circle['self'] = circle;
  const { lines, text } = linesOf((log) => log.info('odd', { circle, when: new Date(Number.NaN), nothing: undefined }));
  expect(lines).toHaveLength(1);
  expect(text.length).toBeLessThan(100_000);
});
