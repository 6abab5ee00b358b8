import { isIP } from 'node:net';
import * as fc from 'fast-check';
import { machineName } from '../../src/domain/machine-name';
import { withDatabase } from '../support/database';
import { machineNames, spelledMachine } from '../support/machine-names';

const database = withDatabase();

/** What Postgres makes of them, in one statement. */
const inDatabase = async (names: readonly string[]): Promise<string[]> => {
  const { rows } = await database.pool.query<{ name: string }>(
    `select yardmaster.machine_name(name) as name from unnest($1::text[]) with ordinality as given(name, n) order by n`,
    [names],
  );
  return rows.map(({ name }) => name);
};

test('Postgres and the rule name every machine alike', async () => {
  const names = machineNames.flatMap(([name, ...spellings]) => [name, ...spellings]);
  expect(await inDatabase(names)).toEqual(names.map(machineName));
  expect(await inDatabase(names)).toEqual(machineNames.flatMap(([name, ...spellings]) => [name, ...spellings].map(() => name)));
});

test('Postgres and the rule name alike whatever is written there', async () => {
  const written = fc.oneof(
    spelledMachine.map(({ spelling }) => spelling),
    fc.ipV4(),
    fc.ipV6(),
    fc.string({ unit: fc.constantFrom(...'0123456789afAFi-:.%x'.split('')) }),
    fc
      .array(fc.constantFrom('0', '00', 'ffff', 'FFFF', '10', '010.0.0.5', '1', ':', '::', '.'), { maxLength: 12 })
      .map((parts) => parts.join('')),
    fc.array(fc.constantFrom('0', '00', 'ffff', 'A', '10.0.0.5', ''), { maxLength: 10 }).map((parts) => parts.join(':')),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(written, { minLength: 50, maxLength: 200 }), async (names) => {
      const ours = names.map(machineName);
      expect(await inDatabase(names)).toEqual(ours);
      // What Node takes for an address is one afterwards, and nothing else becomes one but what was padded.
      expect(names.filter((name, index) => isIP(name) !== 0 && isIP(ours[index] ?? '') === 0)).toEqual([]);
    }),
    { numRuns: 100 },
  );
});

test('Postgres puts the rule into the statement instead of calling it for each row', async () => {
  const { rows } = await database.pool.query<{ 'QUERY PLAN': string }>(
    `explain (verbose, costs off) select yardmaster.machine_name(ec2_ip) from gh_worker_registry`,
  );
  expect(rows.map((row) => row['QUERY PLAN']).join('\n')).not.toContain('machine_name(');
});
