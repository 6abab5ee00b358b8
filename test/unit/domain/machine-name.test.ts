import { isIP } from 'node:net';
import * as fc from 'fast-check';
import { machineName } from '../../../src/domain/machine-name';
import { machineNames, spelledMachine } from '../../support/machine-names';

describe('the name of a machine', () => {
  test.each(machineNames)('is %j in each of its spellings', (name, ...spellings) => {
    expect([name, ...spellings].map(machineName)).toEqual([name, ...spellings].map(() => name));
  });

  test('tells the machines of the table apart', () => {
    expect(new Set(machineNames.map(([name]) => machineName(name))).size).toBe(machineNames.length);
  });

  test('is the same for two spellings exactly where they mean one machine', () => {
    const two = fc.oneof(
      fc.tuple(spelledMachine, spelledMachine),
      fc.noShrink(spelledMachine).map((one) => [one, { ...one, spelling: machineName(one.spelling) }] as const),
    );
    fc.assert(
      fc.property(two, ([one, other]) => {
        expect(machineName(one.spelling) === machineName(other.spelling)).toBe(one.machine === other.machine);
      }),
    );
  });

  test('is its own name, and an address where an address was written', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.ipV4(),
          fc.ipV6(),
          spelledMachine.map(({ spelling }) => spelling),
        ),
        (text) => {
          const name = machineName(text);
          expect(machineName(name)).toBe(name);
          expect(isIP(text) === 0 || isIP(name) > 0).toBe(true);
        },
      ),
    );
  });
});
