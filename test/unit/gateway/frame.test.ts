import { assert, integer, nat, property, string, uniqueArray } from 'fast-check';
import type { DeployLogLine } from '../../../src/contracts/deploy';
import { nativeDialect } from '../../../src/gateway/sse/deploy-log';
import { commentFrame, endId, eventFrame, parseLastEventId, retryFrame } from '../../../src/gateway/sse/frame';

it('writes an event with id, name and data, and leaves out what is not given', () => {
  expect(eventFrame({ id: 7, event: 'gap', data: { from: 1 } })).toBe('id: 7\nevent: gap\ndata: {"from":1}\n\n');
  expect(eventFrame({ data: 'x' })).toBe('data: "x"\n\n');
  expect(commentFrame('still here') + retryFrame(500)).toBe(': still here\n\nretry: 500\n\n');
});

it('keeps whatever a line holds within its event', () => {
  assert(
    property(string({ unit: 'binary' }), (line) => {
      const frame = nativeDialect.frame(0, [{ seq: 1, at: '', stream: 'stdout', line }]);
      expect(frame.match(/\n\n/g)).toHaveLength(1);
      expect(frame.split(/\r|\n/)).toHaveLength(4);
      expect(JSON.parse(frame.split('data: ')[1] ?? '')).toMatchObject({ line });
    }),
  );
});

it.each([
  ['12', { after: 12, hasSeenEnd: false }],
  [endId(12), { after: 12, hasSeenEnd: true }],
  ['0', { after: 0, hasSeenEnd: false }],
  ['-1', null],
  ['12.5', null],
  ['9'.repeat(16), null],
  ['', null],
])('reads the id %j of an event', (text, read) => {
  expect(parseLastEventId(text)).toEqual(read);
});

it('tells every line once and in order, and a gap for each that is missing', () => {
  const line = (seq: number): DeployLogLine => ({ seq, at: '', stream: 'stdout', line: `line ${seq}` });
  assert(
    property(nat(5), uniqueArray(integer({ min: 6, max: 40 }), { minLength: 1 }), (after, numbers) => {
      const seqs = numbers.toSorted((a, b) => a - b);
      const sent = [...nativeDialect.frame(after, seqs.map(line)).matchAll(/data: (.*)\n\n/g)].flatMap(([, data]) => {
        const value: { seq?: number; from?: number; to?: number } = JSON.parse(data ?? '');
        if (value.seq !== undefined) return [value.seq];
        return Array.from({ length: (value.to ?? 0) - (value.from ?? 0) + 1 }, (_, n) => -((value.from ?? 0) + n));
      });
      expect(sent.map(Math.abs)).toEqual(Array.from({ length: (seqs.at(-1) ?? 0) - after }, (_, n) => after + 1 + n));
      expect(sent.filter((seq) => seq > 0)).toEqual(seqs);
    }),
  );
});
