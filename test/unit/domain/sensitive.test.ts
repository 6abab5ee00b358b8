import { inspect } from 'node:util';
import { sensitive } from '../../../src/domain/sensitive';

describe('a sensitive value', () => {
  const value = sensitive('hunter22-hunter22');

  it.each([
    ['join', () => ['', value].join('')],
    ['String()', () => String(value)],
    ['concatenation', () => 'x' + value],
    ['JSON', () => JSON.stringify({ value })],
    ['util.inspect', () => inspect({ value }, { depth: 9, showHidden: true })],
    ['the message of an error', () => new Error('wrong: ' + value).message],
    ['its entries and a copy', () => JSON.stringify([Object.entries(value), Object.assign({}, value), structuredClone(value)])],
  ])('is not printed by %s', (_way, print) => {
    expect(print()).not.toContain('hunter22');
  });

  it('gives its value only on request', () => {
    expect(value.unredacted()).toBe('hunter22-hunter22');
  });
});
