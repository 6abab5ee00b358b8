import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createFleetConfigSource } from '../../src/fleet-file';
import { createLog } from '../../src/log';
import { logFleetDifferences } from '../../workers/fleet-differences';
import { withDatabase } from '../support/database';
import { addWorker, emptyTables } from '../support/fleet-rows';
import { collectLines } from '../support/log-lines';
import { sweepOnce } from '../support/sweep-pass';

const database = withDatabase();
let dir = '';
beforeAll(async () => void (dir = await mkdtemp(path.join(os.tmpdir(), 'yardmaster-fleet-'))));
afterAll(async () => await rm(dir, { recursive: true, force: true }));
beforeEach(async () => await emptyTables(database.pool));

const inFile = async (text: string): Promise<string> => {
  const file = path.join(dir, 'fleet.json');
  await writeFile(file, text);
  return file;
};

it('reads a file again each time, and keeps to what can be read of it', async () => {
  const file = await inFile('{"servers": [');
  const source = createFleetConfigSource({ inline: null, file });
  expect(await source.read()).toEqual({ servers: [], problems: [expect.stringMatching(/fleet\.json: is not JSON/)] });
  await inFile('[{"id": "a", "ip": "10.0.0.1"}, {"id": "b", "ip": "nowhere"}]');
  expect(await source.read()).toMatchObject({ servers: [{ id: 'a' }], problems: [expect.stringMatching(/entry 2 \(b\): ip/)] });
  expect(source.current().servers).toHaveLength(1);
  await rm(file);
  expect((await source.read()).problems).toEqual([expect.stringMatching(/cannot be read \(ENOENT\)/)]);
});

it('takes FLEET_CONFIG before a file', async () => {
  const source = createFleetConfigSource({ inline: '[{"id": "inline"}]', file: await inFile('[{"id": "file"}]') });
  expect((await source.read()).servers.map(({ id }) => id)).toEqual(['inline']);
});

it('is compared in each full pass of the sweep, which asks its machines too', async () => {
  await addWorker(database.pool, { host: '10.0.0.9', instanceId: 'i-1' });
  const fleetConfig = {
    servers: [
      { id: 'gh-1', ip: '10.0.0.1', ec2InstanceId: 'i-1', role: 'ghosthands' as const },
      { id: 'gh-2', ip: '10.0.0.2', role: 'ghosthands' as const },
      { id: 'we', ip: '10.0.0.3', role: 'atm' as const },
    ],
    problems: ['fleet.json: entry 4: id: is there already'],
  };
  const { of, asked } = await sweepOnce(database.pool, { fleetConfig, ports: { '10.0.0.1': 'silent', '10.0.0.2': 'refused' } });
  expect(of('configured_address_moved')).toMatchObject([{ subject: 'gh-1', detail: '10.0.0.1 → 10.0.0.9' }]);
  expect(of('configured_host_without_worker')).toMatchObject([{ subject: 'gh-2', detail: '10.0.0.2' }]);
  expect(of('bad_fleet_configuration')).toMatchObject([{ detail: expect.stringMatching(/entry 4/) }]);
  expect(asked).toEqual(expect.arrayContaining(['10.0.0.1', '10.0.0.2', '10.0.0.9']));
  expect(asked).not.toContain('10.0.0.3');
});

it('is compared at the start of an orchestrator, and stops nothing', async () => {
  await addWorker(database.pool, { host: '10.0.0.9', instanceId: 'i-9' });
  const { destination, lines } = collectLines();
  const log = createLog({ level: 'info', process: 'test', destination });
  await logFleetDifferences({
    pool: database.pool,
    log,
    fleetConfig: createFleetConfigSource({ inline: '[{"id": "a", "ip": "10.0.0.1"}, 7]', file: null }),
  });
  expect(lines.join('')).toMatch(/FLEET_CONFIG: entry 2/);
  expect(lines.join('')).toMatch(/configured_host_without_worker/);
  expect(lines.join('')).toMatch(/host_not_configured/);
});
