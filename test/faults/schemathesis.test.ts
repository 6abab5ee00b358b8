import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import { runProgram } from '../../src/dev/run-program';
import { apiToolsDir } from '../support/api-tools';
import { callbackOrigin, startApiWorld, type ApiWorld } from '../support/api-world';
import { withDatabase } from '../support/database';
import { findSchemathesis } from '../support/find-schemathesis';
import { call, testKeys } from '../support/gateway';
import { withTemporal } from '../support/temporal';

// Some thousands of requests a role, and Python packages that are installed the first time.
jest.setTimeout(3_600_000);

const database = withDatabase();
const temporal = withTemporal();
let packages: string;
let world: ApiWorld;
let folder: string;

beforeAll(async () => {
  packages = await findSchemathesis();
  folder = await mkdtemp(path.join(os.tmpdir(), 'yardmaster-schemathesis-'));
  world = await startApiWorld({ pool: database.pool, databaseUrl: database.databaseUrl, temporal });
  await writeFile(path.join(folder, 'openapi.json'), (await call(`${world.gateway.url}/openapi.json`)).text);
});
afterAll(async () => {
  await world.stop();
  await rm(folder, { recursive: true });
});

const reportSchema = z.object({
  operations: z.object({ selected: z.int(), tested: z.int() }),
  failures: z.array(z.unknown()),
  errors: z.array(z.unknown()),
});

/** What is not asked, and why not, is in test/api-tools/schemathesis.toml. */
it.each([
  ['nobody', []],
  ['product', [`X-API-Key: ${testKeys.product}`]],
  ['operator', [`X-API-Key: ${testKeys.operator}`]],
  ['deployer', [`X-API-Key: ${testKeys.deployer}`]],
  ['read_only', [`X-API-Key: ${testKeys.readOnly}`]],
  ['worker', [`X-GH-Service-Key: ${testKeys.service}`]],
])('the gateway keeps its document to whoever is %s', async (role, headers) => {
  const report = path.join(folder, `${role}.json`);
  const args = [
    ...['-c', 'from schemathesis.cli import schemathesis; schemathesis()'],
    ...['--config-file', path.join(apiToolsDir(), 'schemathesis.toml'), 'run', path.join(folder, 'openapi.json')],
    ...['--url', world.gateway.url, ...headers.flatMap((header) => ['--header', header])],
    ...['--checks', 'all', '--phases', 'examples,coverage,fuzzing', '--max-examples', '10', '--generation-deterministic'],
    ...['--no-color', '--report', 'json', '--report-json-path', report],
  ];
  const env = { ...process.env, PYTHONPATH: `${packages}:${apiToolsDir()}`, PYTHONDONTWRITEBYTECODE: '1', CALLBACK_ORIGIN: callbackOrigin };
  const ended = await runProgram('python3', args, { cwd: folder, env, timeoutMs: 3_000_000 }).catch((error: Error) => error);
  const { operations, failures, errors } = reportSchema.parse(
    JSON.parse(
      await readFile(report, 'utf8').catch(() => {
        throw ended;
      }),
    ),
  );
  expect({ failures, errors }).toEqual({ failures: [], errors: [] });
  expect(operations).toEqual({ selected: expect.any(Number), tested: operations.selected });
});
