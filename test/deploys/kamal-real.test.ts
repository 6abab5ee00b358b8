import { execFile } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { constantFrom, sample, string } from 'fast-check';
import { stringify } from 'yaml';
import { findKamal } from '../../dev/kamal/testbed/kamal-binary';
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
  'refuses what is wrong with a configuration that we let pass, in its own words',
  async () => {
    theirs.write('config/deploy.yml', deployYml.replace('builder:\n  arch: amd64\n', 'retain_containers: 0\nbuilder:\n  arch: amd64\n'));
    const opened = await theirs
      .createKamal({ bin })
      .open({ deployId: 'deploy-1', destination: 'staging', fleetHostsOf: () => ['127.0.0.1'] });
    const detail = 'kamal config refuses the configuration: Kamal::ConfigurationError: Must retain at least 1 container';
    expect(opened).toMatchObject({ kind: 'refused', problems: [{ check: 'config', detail }], known: { service: 'ghosthands' } });
  },
  testTimeoutMs,
);

it(
  'evaluates the ERB of their files, once; reads addresses of the sixth version and names with _ in them; and prints secrets that nobody sees',
  async () => {
    theirs.secrets.set('SSH_KEY', 'planted-ssh-key-4711');
    theirs.write(
      'config/deploy.yml',
      deployYml
        .replace('service: ghosthands', 'service: <%= ENV.fetch("SERVICE") %>')
        .replace('  config: false', '  config: false\n  key_data: [SSH_KEY]'),
    );
    theirs.write(
      'config/deploy.staging.yml',
      'servers:\n  web:\n    hosts:\n<% ["::1", "gh_worker_1"].each do |host| -%>\n      - "<%= host %>"\n<% end -%>\n  workers: ~\nx-text: "<%% no code"\n',
    );
    const kamal = theirs.createKamal({ bin, env: { PATH: process.env.PATH ?? '', HOME: theirs.dir, SERVICE: 'ghosthands' } });
    const session = await openSession(kamal, { fleetHostsOf: () => ['::1'] });
    expect(session.destination).toMatchObject({
      service: 'ghosthands',
      hosts: [
        { host: '::1', roles: ['web', 'workers'] },
        { host: 'gh_worker_1', roles: ['web'] },
      ],
    });
    const { end, output } = await session.run(config(), runOptions());
    await session.close();
    expect(end).toEqual({ kind: 'exited', code: 0 });
    expect(output).toContain(':primary_host: "::1"');
    expect(output).toContain(':key_data:\n  - [redacted]');
    expect(output).not.toContain('planted-ssh-key');
  },
  testTimeoutMs,
);

it.each([
  ['<%= raise "no login with #{ENV["DEPLOY_TOKEN"]}" %>', 'kamal config refuses the configuration: RuntimeError: no login with [redacted]'],
  [
    '<%= ENV.fetch("NOBODY") %>',
    'kamal config refuses the configuration: KeyError: key not found: "NOBODY"; KAMAL_ENVIRONMENT names the variables',
  ],
  ['<%= what( %>', 'kamal config refuses the configuration: (erb):3: syntax error'],
])(
  'says what is wrong with the ERB %s',
  async (erb, said) => {
    theirs.write('config/deploy.staging.yml', `servers:\n  web:\n    hosts: ["${erb}"]\n  workers:\n    hosts: []\n`);
    const kamal = theirs.createKamal({ bin, env: { PATH: process.env.PATH ?? '', HOME: theirs.dir, DEPLOY_TOKEN: 'planted-token-4711' } });
    expect((await kamal.readDestination('staging')).problem).toContain(said);
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

it(
  'ends at once with a hook that asks, hides its secrets, and names one that hangs; a look runs none',
  async () => {
    const ran = path.join(theirs.dir, 'ran');
    const hook = (then: string): void =>
      theirs.write(
        '.kamal/hooks/pre-connect',
        `#!/bin/sh\necho x >>'${ran}'\nprintf %s "$DATABASE_URL" | base64\nprintf %s "$DATABASE_URL" | od -An -tx1\nprintf "Deploy to production? [y/N] "\n${then}\n`,
        0o755,
      );
    const kamal = theirs.createKamal({ bin });
    hook('read answer || exit 3');
    const looking = await openSession(kamal, { skipsHooks: true });
    await looking.run(lockStatus(), runOptions());
    await looking.close();
    expect(existsSync(ran)).toBe(false);

    const session = await openSession(kamal);
    const { error, output } = await session.run(lockStatus(), runOptions());
    expect(error).toMatchObject({
      class: 'Kamal::Cli::HookError',
      message: expect.stringContaining('Deploy to production? [y/N]') as string,
    });
    const [secret = ''] = [theirs.secrets.get('DATABASE_URL')];
    expect(output).not.toContain(Buffer.from(secret).toString('base64').slice(0, 12));
    expect(output).not.toMatch(new RegExp(Buffer.from(secret.slice(4, 12)).toString('hex').replace(/../g, '$& ').trim()));
    await session.close();

    hook('exec sleep 600');
    const hanging = await openSession(kamal);
    const ended = await hanging.run(lockStatus(), runOptions({ timeoutMs: 20_000 }));
    await hanging.close();
    expect(ended.hook).toMatchObject({ name: 'pre-connect', said: expect.stringMatching(/Deploy to production\? \[y\/N\]$/) as string });
  },
  testTimeoutMs,
);

/** `puts` adds no line feed to one. */
const shownByRuby = (value: string): string => value.replace(/\n$/, '');
