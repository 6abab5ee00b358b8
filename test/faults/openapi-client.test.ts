import { copyFile, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { projectRoot } from '../../src/project-root';
import { runProgram } from '../../dev/tools/run-program';
import { apiToolsDir, findApiTools } from '../support/api-tools';
import { startApiWorld, type ApiWorld } from '../support/api-world';
import { withDatabase } from '../support/database';
import { call, testKeys } from '../support/gateway';
import { withTemporal } from '../support/temporal';

// Two packages are installed the first time, with a limit of their own.
jest.setTimeout(1_200_000);

const database = withDatabase();
const temporal = withTemporal();
let world: ApiWorld;
let modules: string;
let folder: string;

beforeAll(async () => {
  modules = await findApiTools();
  world = await startApiWorld({ pool: database.pool, databaseUrl: database.databaseUrl, temporal });
  folder = await mkdtemp(path.join(projectRoot(), '.yardmaster/openapi-client-'));
  await symlink(modules, path.join(folder, 'node_modules'));
  const { text } = await call(`${world.gateway.url}/openapi.json`);
  await writeFile(path.join(folder, 'openapi.json'), text);
});
afterAll(async () => {
  await world.stop();
  await rm(folder, { recursive: true });
});

const run = async (program: string, ...args: string[]): Promise<string> =>
  await runProgram(process.execPath, [path.join(modules, program), ...args], { cwd: folder });

it('has nothing that spectral would have otherwise', async () => {
  // What ATM does and we do not has its 501 alone.
  await writeFile(path.join(folder, '.spectral.yaml'), 'extends: ["spectral:oas"]\nrules: { operation-success-response: off }\n');
  const report = await run(
    '@stoplight/spectral-cli/dist/index.js',
    'lint',
    'openapi.json',
    '--format',
    'json',
    '--quiet',
    '--fail-severity',
    'hint',
  );
  expect(JSON.parse(report)).toEqual([]);
});

it('gives a typed client that submits, lists, cancels and reads a stream', async () => {
  // A default is what the gateway takes where the client sends nothing; by itself the tool makes it a field that must be sent.
  await run('openapi-typescript/bin/cli.js', 'openapi.json', '--output', 'schema.d.ts', '--default-non-nullable', 'false');
  for (const file of ['client.ts', 'tsconfig.json']) await copyFile(path.join(apiToolsDir(), file), path.join(folder, file));
  await run('typescript/bin/tsc', '-p', '.');
  const { gateway, deployId } = world;
  const printed = await runProgram(
    process.execPath,
    [path.join(folder, 'built/client.js'), gateway.url, testKeys.operator, testKeys.readOnly, deployId],
    { cwd: folder },
  );
  const seen = JSON.parse(printed) as { jobId: string; frames: string };
  expect(seen).toMatchObject({
    location: `/v1/jobs/${seen.jobId}`,
    listedAs: expect.stringMatching(/accepted|waiting/),
    outcome: 'cancelled',
    route: 'row',
    conflict: 'cancelled',
  });
  expect(seen.frames.match(/^(id|event): .*$/gm)).toEqual(['id: 1', 'id: 2', 'id: 2.end', 'event: end']);
});
