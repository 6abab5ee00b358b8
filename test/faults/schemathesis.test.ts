import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { endpointNames, endpoints, type EndpointName } from '../../src/gateway/endpoints';
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

/**
 * What nobody may and what a reader may not is refused before it is read, whatever is in it: of the others each is asked what it may. What is open to everybody is
 * asked at length once, as a reader.
 */
const isAsked = (role: string, name: EndpointName): boolean => {
  const roles: readonly string[] | 'public' = endpoints[name].roles;
  return role === 'nobody' || role === 'read_only' || (roles !== 'public' && roles.includes(role));
};

/** What is not asked, and why not, is in test/api-tools/schemathesis.toml. */
it.each([
  ['nobody', ['--mode', 'positive']],
  ['product', ['--header', `X-API-Key: ${testKeys.product}`]],
  ['operator', ['--header', `X-API-Key: ${testKeys.operator}`]],
  ['deployer', ['--header', `X-API-Key: ${testKeys.deployer}`]],
  ['read_only', ['--header', `X-API-Key: ${testKeys.readOnly}`]],
  ['worker', ['--header', `X-GH-Service-Key: ${testKeys.service}`]],
])('the gateway keeps its document to whoever is %s', async (role, options) => {
  const report = path.join(folder, `${role}.json`);
  const args = [
    ...['-c', 'from schemathesis.cli import schemathesis; schemathesis()'],
    ...['--config-file', path.join(apiToolsDir(), 'schemathesis.toml'), 'run', path.join(folder, 'openapi.json')],
    ...['--url', world.gateway.url, ...options],
    // No --checks: what is named on the command line goes before the file.
    ...['--phases', 'examples,coverage,fuzzing', '--max-examples', '10', '--generation-deterministic'],
    ...endpointNames.filter((name) => !isAsked(role, name)).flatMap((name) => ['--exclude-operation-id', name]),
    // A machine that is busy with other tests as well takes its time.
    ...['--request-timeout', '120', '--no-color', '--report', 'json', '--report-json-path', report],
  ];
  const env = { ...process.env, PYTHONPATH: `${packages}:${apiToolsDir()}`, PYTHONDONTWRITEBYTECODE: '1', CALLBACK_ORIGIN: callbackOrigin };
  const printed = await promisify(execFile)('python3', args, { cwd: folder, env, timeout: 3_000_000, maxBuffer: 64 * 1024 * 1024 }).then(
    () => '',
    // What failed is in the report; how, and the request that shows it, in what is printed.
    (error: Error & { stdout: string }) => error.stdout || error.message,
  );
  const { operations, failures, errors } = reportSchema.parse(
    JSON.parse(
      await readFile(report, 'utf8').catch((cause: unknown) => {
        throw new Error(printed, { cause });
      }),
    ),
  );
  expect({ failures, errors, printed }).toEqual({ failures: [], errors: [], printed: '' });
  expect(operations.selected).toBeGreaterThan(0);
  expect(operations.tested).toBe(operations.selected);
});
