import { execFile } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { constantFrom, sample, string } from 'fast-check';
import { stringify } from 'yaml';
import { findKamal } from '../../src/dev/kamal-testbed/kamal-binary';
import { sensitive } from '../../src/domain/sensitive';
import { appVersion, config, deployVersion, lockAcquire, lockStatus, version } from '../../src/kamal/commands';
import { makeSecretLine } from '../../src/kamal/secrets';
import { createTestProject, deployYml, openSession, runOptions, type TestProject } from '../support/kamal-project';

// The real Kamal, as far as it goes without a host to reach.
let bin: string;
let theirs: TestProject;

beforeAll(async () => {
  bin = await findKamal();
}, 300_000);
beforeEach(() => {
  theirs = createTestProject();
});
afterEach(() => theirs.remove());

const testTimeoutMs = 120_000;
const runDir = (): string => path.join(theirs.stateDir, 'deploy-1', readdirSync(path.join(theirs.stateDir, 'deploy-1'))[0] ?? '');

it(
  'reads every secret as it was given, and runs nothing of it',
  async () => {
    const nasty = string({ unit: constantFrom(...Array.from('\'"\\$(){}`#=;| \n\tnaHOME_1é名')), minLength: 1, maxLength: 24 });
    const pwned = path.join(theirs.dir, 'pwned');
    const values = [
      `$(touch ${pwned})`,
      `it's \`touch ${pwned}\``,
      '$HOME ${HOME} \\$HOME',
      "'$HOME ${HOME} \\$HOME",
      "\\n'\\\\n",
      '#',
      ' ',
      ...sample(nasty, 400),
    ];
    const writable = values.filter((value) => makeSecretLine('X', sensitive(value)) !== null);
    expect(writable.length).toBeGreaterThan(200);
    expect(writable.filter((value) => value.includes("'")).length).toBeGreaterThan(50);
    const names = writable.map((value, n) => {
      theirs.secrets.set(`V${n}`, value);
      return `V${n}`;
    });
    theirs.write('config/deploy.yml', deployYml.replace('    - DATABASE_URL', stringify(names).replaceAll(/^/gm, '    ')));
    const session = await openSession(theirs.createKamal({ bin }));
    // Not through the session, which would hide them.
    const { stdout } = await promisify(execFile)(bin, ['secrets', 'print', '--destination=staging'], {
      cwd: path.join(runDir(), 'project'),
      env: { PATH: process.env.PATH, HOME: '/nowhere', LANG: 'C.UTF-8' },
    });
    await session.close();
    const read = new Map(
      stdout.split(/^(?=V\d+=|KAMAL_|GH_)/m).map((part) => [part.slice(0, part.indexOf('=')), part.slice(part.indexOf('=') + 1, -1)]),
    );
    expect(names.map((name) => [name, read.get(name)])).toEqual(names.map((name, n) => [name, shownByRuby(writable[n] ?? '')]));
    expect(existsSync(pwned)).toBe(false);
  },
  testTimeoutMs,
);

it(
  'finds the hosts of the fleet, the version of our arguments, and validates the rest',
  async () => {
    const session = await openSession(theirs.createKamal({ bin }), { fleetHostsOf: () => ['127.0.0.2', '127.0.0.1', '127.0.0.2'] });
    expect((await session.run(version(), runOptions())).output).toMatch(/^2\.\d+\.\d+$/);
    const { end, output } = await session.run(config(), runOptions());
    expect(end).toEqual({ kind: 'exited', code: 0 });
    expect(output).toContain(':hosts:\n- 127.0.0.1\n- 127.0.0.2\n:primary_host: 127.0.0.1\n');
    expect(output).toContain(':repository: 127.0.0.1:5000/ghosthands\n');
    await session.close();
  },
  testTimeoutMs,
);

it(
  'tells what is wrong with a configuration that we let pass',
  async () => {
    theirs.write('config/deploy.yml', deployYml.replace('builder:\n  arch: amd64\n', 'retain_containers: 0\nbuilder:\n  arch: amd64\n'));
    const session = await openSession(theirs.createKamal({ bin }));
    const ended = await session.run(config(), runOptions());
    await session.close();
    expect(ended.end).toEqual({ kind: 'exited', code: 1 });
    expect(ended.error).toEqual({ class: 'Kamal::ConfigurationError', message: 'Must retain at least 1 container' });
  },
  testTimeoutMs,
);

it(
  'tells that no host answers, whatever is asked',
  async () => {
    const session = await openSession(theirs.createKamal({ bin }));
    for (const command of [
      lockStatus(),
      lockAcquire({ message: 'yard/kamal-deploy-ghosthands-staging/1', version: 'v1', hosts: ['127.0.0.1'] }),
      appVersion(['127.0.0.1']),
      deployVersion('v1', ['127.0.0.1']),
    ]) {
      const ended = await session.run(command, runOptions());
      expect(ended.end).toEqual({ kind: 'exited', code: 1 });
      expect(ended.error?.class).toBe('Errno::ECONNREFUSED');
    }
    await session.close();
  },
  testTimeoutMs,
);

it(
  'runs the hooks of their project, with the secrets and without a delay of their lines',
  async () => {
    const seen = path.join(theirs.dir, 'seen');
    theirs.write(
      '.kamal/hooks/pre-connect',
      `#!/bin/sh\nprintf '%s' "$DATABASE_URL" > '${seen}'\necho said by the hook; sleep 3; exit 3\n`,
      0o755,
    );
    theirs.write('config/deploy.yml', `${deployYml}hooks_output: :verbose\n`);
    const at = new Map<string, number>();
    const session = await openSession(theirs.createKamal({ bin }));
    const ended = await session.run(lockStatus(), runOptions({ onLine: ({ line }) => void at.set(line.trim(), performance.now()) }));
    await session.close();
    expect(readFileSync(seen, 'utf8')).toBe(theirs.secrets.get('DATABASE_URL'));
    expect(ended.error?.class).toBe('Kamal::Cli::HookError');
    const lines = [...at.entries()];
    const [, first = 0] = lines.find(([line]) => line.includes('Running')) ?? [];
    const [, last = 0] = lines.at(-1) ?? [];
    // The hook sleeps for three seconds between the two; buffered, they come together.
    expect(last - first).toBeGreaterThan(2_000);
  },
  testTimeoutMs,
);

/** `puts` adds no line feed to one. */
const shownByRuby = (value: string): string => value.replace(/\n$/, '');
