import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { projectRoot } from '../../src/project-root';
import { withDatabase } from '../support/database';
import { formatFaultTable, runFaultRound, startFaultFixture, type FaultRow, type StartedFaultFixture } from '../support/fault-run';
import { withTemporal } from '../support/temporal';

/** Each fault once, on one fixture; bench/faults injects them as often as it is told. */
describe('a fleet to which everything happens', () => {
  const database = withDatabase();
  const temporal = withTemporal();
  const stopping: (() => Promise<void>)[] = [];
  let fixture: StartedFaultFixture;

  beforeAll(async () => {
    fixture = await startFaultFixture({
      databaseUrl: database.databaseUrl,
      pool: database.pool,
      client: temporal.client,
      temporal,
      dir: path.join(projectRoot(), '.yardmaster/logs', temporal.namespace),
    });
    stopping.push(fixture.stop);
  }, 120_000);

  afterAll(async () => {
    for (const end of stopping) await end();
  }, 120_000);

  test('P1 P2 P3 P5 P8: ends every job as promised, runs nothing twice, and writes off no worker that lives', async () => {
    const table = new Map<string, FaultRow>();
    await runFaultRound(fixture, { round: 0, isRackAlone: false, table });
    process.stderr.write(`${formatFaultTable(table)}\n`);
    expect([...table.values()].flatMap(({ fault, violations }) => violations.map((violation) => `${fault}: ${violation}`))).toEqual([]);
  }, 600_000);

  test.each([
    ['gateway', () => fixture.plane.gateway],
    ['orchestrator', () => fixture.plane.orchestrators[0]],
  ] as const)('the %s shows the metrics that the operators’ table names, the SDK’s beside them, and no id', async (name, processOf) => {
    const port = /"message":"Metrics are served","port":(\d+)/.exec(
      (await processOf()?.readLog())?.split('\n').findLast((line) => line.includes('Metrics are served')) ?? '',
    )?.[1];
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    const shown = [...text.matchAll(/^# TYPE (yardmaster_\w+) /gm)].map(([, metric = '']) => metric);
    expect(shown.toSorted()).toEqual(await namesInTable(name));
    expect(text.includes('temporal_workflow_completed')).toBe(name === 'orchestrator');
    expect(text).not.toMatch(/worker-\d|[0-9a-f]{8}-[0-9a-f]{4}-/);
  });
});

const namesInTable = async (process: string): Promise<string[]> => {
  const text = await readFile(path.join(projectRoot(), 'docs/operators.md'), 'utf8');
  return Array.from(text.matchAll(/^\| `(yardmaster_\w+)` \|.*\| ([\w, ]+) \|$/gm))
    .filter(([, , shownBy]) => shownBy?.split(', ').includes(process))
    .map(([, metric = '']) => metric)
    .toSorted();
};
