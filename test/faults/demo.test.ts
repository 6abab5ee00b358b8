import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { claimAddresses } from '../../dev/kamal/testbed/testbed-addresses';
import { claimPort } from '../../dev/tools/ports';
import { projectRoot } from '../../src/project-root';
import { runProgram } from '../../dev/tools/run-program';

const ports = [
  ...['gateway', 'product', 'postgres', 'temporal', 'temporal-ui'],
  ...['gateway-metrics', 'orchestrator-metrics', 'deployer-metrics'],
];

let dir: string;
beforeEach(async () => {
  // As in stack.test.ts: Postgres has to enter it as another user.
  dir = path.join(projectRoot(), `.yardmaster/test-demo-${randomBytes(4).toString('hex')}`);
  await mkdir(dir, { recursive: true });
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

const playDemo = async (...args: string[]): Promise<string> => {
  const chosen = await Promise.all(
    ports.map(async (name) => [`--${name}-port`, String(await claimPort({ port: 0, purpose: 'a demo', changeWith: 'nothing' }))]),
  );
  const { DATABASE_URL: _theirs, ...env } = process.env;
  return await runProgram(
    process.execPath,
    [path.join(projectRoot(), '.yardmaster/build/dev/tools/demo.js'), '--exit', '--fresh', `--dir=${dir}`, ...chosen.flat(), ...args],
    { env, timeoutMs: 400_000 },
  );
};

const networkOf = (ip: string): string => ip.split('.').slice(0, 3).join('.');

test('names a taken port of a simulated host together with the flag that changes it', async () => {
  const [ip = ''] = await claimAddresses(6, [3100, 3101]);
  const network = networkOf(ip);
  const taken = createServer().listen(3101, `${network}.3`);
  await once(taken, 'listening');
  try {
    await expect(playDemo('--stand-in', `--network=${network}`)).rejects.toThrow(
      `Port 3101 on ${network}.3, wanted for a simulated host, is taken by another program. Choose another with --network.`,
    );
  } finally {
    taken.close();
  }
});

test("plays the whole demo with Kamal's stand-in: every job and every deploy ends as it should", async () => {
  const [ip = ''] = await claimAddresses(6, [3100, 3101]);
  const network = networkOf(ip);
  const printed = await playDemo('--stand-in', `--network=${network}`, '--timeout=200');
  expect(printed).toContain('jobs ended as they should');
  const runs = (version: string): string => `${network}.5 runs ${version}, ${network}.6 runs ${version}`;
  expect(printed.split('\n').flatMap((line) => /^. \w+ after [\d.]+ s: .*/.exec(line)?.[0].replace(/ after [\d.]+ s/, '') ?? [])).toEqual([
    `✓ succeeded: ${runs('demo-1')}`,
    `✓ succeeded: ${runs('demo-2')}`,
    `✓ rolled_back: ${runs('demo-2')}`,
    `✓ succeeded: ${runs('demo-1')}`,
  ]);
}, 420_000);
