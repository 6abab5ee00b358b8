import { fillHosts, KamalConfigError, parseConfigFile, readConfig, type ConfigFacts } from '../../../src/kamal/config';

/** ATM's own two files, shortened (atm §2.4). */
const base = `
service: ghosthands
image: ghosthands
require_destination: true
hooks_output: :verbose
registry:
  server: 1.dkr.ecr.us-east-1.amazonaws.com
  username: AWS
  password:
    - KAMAL_REGISTRY_PASSWORD
servers:
  web:
    hosts: []
    proxy: false
    cmd: bun api/server.ts
  workers:
    hosts: []
    proxy: false
    env:
      secret:
        - VNC_PASSWORD
env:
  clear:
    NODE_ENV: production
  secret:
    - DATABASE_URL
    - GH_ENVIRONMENT
    - KEY:REAL_KEY
builder:
  arch: amd64
  secrets:
    - NPM_TOKEN
`;
const staging = `
# Ours.
servers:
  web:
    hosts: []
  workers:
    hosts: []
env:
  clear:
    GH_ENVIRONMENT: staging
`;

const read = (own = staging, all = base): ConfigFacts =>
  readConfig(parseConfigFile(all, 'deploy.yml'), parseConfigFile(own, 'deploy.staging.yml'));
const without = (line: RegExp): string => base.replace(line, '');

it("reads ATM's files", () => {
  expect(read()).toEqual({
    service: 'ghosthands',
    roles: [
      { role: 'web', hosts: [] },
      { role: 'workers', hosts: [] },
    ],
    rolesFromFleet: ['web', 'workers'],
    secretNames: ['KAMAL_REGISTRY_PASSWORD', 'DATABASE_URL', 'GH_ENVIRONMENT', 'REAL_KEY', 'VNC_PASSWORD', 'NPM_TOKEN'],
    clear: new Map([
      ['NODE_ENV', 'production'],
      ['GH_ENVIRONMENT', 'staging'],
    ]),
    registry: {
      server: '1.dkr.ecr.us-east-1.amazonaws.com',
      image: 'ghosthands',
      username: 'AWS',
      usernameName: null,
      passwordName: 'KAMAL_REGISTRY_PASSWORD',
    },
    registryPassword: null,
    hooksPath: '.kamal/hooks',
    deployTimeoutSeconds: 30,
  });
});

describe('hosts', () => {
  it('may be a plain list, with tags, and belong to several roles', () => {
    const facts = read('servers:\n  web:\n    hosts: [10.0.0.2, {10.0.0.1: [tag]}]\n  workers:\n    hosts: [10.0.0.1]\n');
    expect(facts.roles).toEqual([
      { role: 'web', hosts: ['10.0.0.2', '10.0.0.1'] },
      { role: 'workers', hosts: ['10.0.0.1'] },
    ]);
    expect(facts.rolesFromFleet).toEqual([]);
  });

  it('of the fleet fill the empty lists, and everything else stays as it is written', () => {
    const own = parseConfigFile(
      '# Ours.\nhooks_output: :quiet\nservers:\n  web:\n    hosts: [10.0.0.9]\n  workers:\n    hosts: [] # the fleet\n',
      'f',
    );
    const facts = readConfig(parseConfigFile(base, 'b'), own);
    expect(fillHosts(own, facts, () => ['10.0.0.1', '10.0.0.2'])).toEqual([
      { role: 'web', hosts: ['10.0.0.9'] },
      { role: 'workers', hosts: ['10.0.0.1', '10.0.0.2'] },
    ]);
    expect(own.toString()).toBe(
      '# Ours.\nhooks_output: :quiet\nservers:\n  web:\n    hosts: [ 10.0.0.9 ]\n  workers:\n    hosts:\n      - 10.0.0.1\n      - 10.0.0.2\nsecrets_path: .kamal/secrets\n',
    );
  });

  it('of the fleet come from a file that says nothing of servers', () => {
    const own = parseConfigFile('{}', 'f');
    fillHosts(own, readConfig(parseConfigFile(base, 'b'), own), () => ['10.0.0.1']);
    expect(own.toJS()).toMatchObject({ servers: { web: { hosts: ['10.0.0.1'] }, workers: { hosts: ['10.0.0.1'] } } });
  });

  it('of the fleet come in the shape that the file has', () => {
    const own = parseConfigFile('servers:\n  web: {}\n  workers: []\n', 'f');
    fillHosts(
      own,
      readConfig(parseConfigFile(base.replace('  workers:\n    hosts: []\n    proxy: false', '  workers:\n    hosts: []'), 'b'), own),
      () => ['h1'],
    );
    expect(own.toJS()).toMatchObject({ servers: { web: { hosts: ['h1'] }, workers: ['h1'] } });
    const flat = parseConfigFile('servers: []\n', 'f');
    expect(() => readConfig(parseConfigFile(base, 'b'), flat)).toThrow('role web runs behind kamal-proxy');
  });

  it('are missing when neither file nor fleet has one', () => {
    const own = parseConfigFile(staging, 'f');
    expect(() => fillHosts(own, readConfig(parseConfigFile(base, 'b'), own), () => [])).toThrow(
      'no hosts for web, workers: none in the file, and none in the fleet',
    );
  });

  it('of the fleet fill a role of which the file says nothing but its name', () => {
    const own = parseConfigFile('servers:\n  web:\n    hosts: [10.0.0.9]\n  workers: ~\n', 'f');
    const facts = readConfig(parseConfigFile(base.replace(/ {2}workers:\n(?: {4}.*\n)+/, '  workers: ~\n'), 'b'), own);
    expect(fillHosts(own, facts, () => ['10.0.0.1'])).toEqual([
      { role: 'web', hosts: ['10.0.0.9'] },
      { role: 'workers', hosts: ['10.0.0.1'] },
    ]);
    expect(own.toJS()).toMatchObject({ servers: { workers: { hosts: ['10.0.0.1'] } } });
  });

  it('whose name begins with a colon is written in quotes: it would be a symbol to Ruby', () => {
    const own = parseConfigFile('servers: {}\n', 'f');
    fillHosts(own, readConfig(parseConfigFile(base, 'b'), own), () => ['::1', '10.0.0.1']);
    expect(own.toString()).toMatch(/web: +\{ hosts: \[ "::1", 10\.0\.0\.1 \] \}|- "::1"\n +- 10\.0\.0\.1\n/);
  });

  it.each(['::1', '2001:db8::7', 'fe80::1%eth0', 'gh_worker_1', '_x', 'gh-1.fleet.test'])('%s is one', (host) => {
    const own = parseConfigFile(staging, 'f');
    expect(fillHosts(own, readConfig(parseConfigFile(base, 'b'), own), () => [host])[0]).toEqual({ role: 'web', hosts: [host] });
  });

  it.each([
    ['10.0.0.010', '10.0.0.010 has leading zeros, which ssh reads as octal digits: write 10.0.0.10'],
    ['10.0.0.1,::FFFF:10.0.0.1', '10.0.0.1 and ::FFFF:10.0.0.1 are one machine: write it in one way'],
    ['fd00::1,fd00:0::1', 'fd00::1 and fd00:0::1 are one machine: write it in one way'],
  ])('is refused as %s', (hosts, problem) => {
    const own = parseConfigFile(staging, 'f');
    expect(() => fillHosts(own, readConfig(parseConfigFile(base, 'b'), own), () => hosts.split(','))).toThrow(problem);
  });

  it('may be empty where that is allowed', () => {
    expect(read(`allow_empty_roles: true\n${staging}`).rolesFromFleet).toEqual([]);
  });

  it.each(['a b', '10.0.0.1,10.0.0.2', '*', '-oProxyCommand=x', 'host;id', '[::1]:22', '%x', ''])('%j is none', (host) => {
    const own = parseConfigFile(staging, 'f');
    expect(() => fillHosts(own, readConfig(parseConfigFile(base, 'b'), own), () => [host])).toThrow('is no host');
  });
});

describe('a configuration is refused', () => {
  it.each([
    ['that is no YAML', base, 'servers: [', 'deploy.staging.yml is no YAML that Kamal reads'],
    ['with a Ruby object', base, 'servers: !ruby/object:Gem {}', 'deploy.staging.yml is no YAML that Kamal reads'],
    ['with an alias of nothing', base, 'servers: *nope', 'deploy.staging.yml is no YAML that Kamal reads: Unresolved alias'],
    [
      'with a bomb of aliases',
      base,
      `a: &a [x, x]\n${['b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'].map((name, n) => `${name}: &${name} [${Array(10).fill(`*${'abcdefgh'[n]}`).join()}]`).join('\n')}`,
      'deploy.staging.yml is no YAML that Kamal reads: Excessive alias count',
    ],
    ['that is a list', base, '- a', 'the configuration is no map of settings'],
    ['without a service', without(/^service.*$/m), staging, 'service: '],
    [
      'of a service that can be no part of a name',
      base.replace('service: ghosthands', 'service: ../x'),
      staging,
      'service: must be a name in small letters',
    ],
    ['without an image', without(/^image.*$/m), staging, 'image: '],
    [
      'behind a proxy',
      base.replace('proxy: false\n    cmd', 'cmd'),
      staging,
      'role web runs behind kamal-proxy: say "proxy: false", nothing else is supported',
    ],
    [
      'with another role behind it',
      base.replace('proxy: false\n    env', 'proxy: true\n    env'),
      staging,
      'role workers runs behind kamal-proxy',
    ],
    ['whose primary role is not there', `${base}\nprimary_role: api\n`, staging, 'the primary role api is not among the servers'],
    ['without a registry', base.replace('registry:', 'registri:'), staging, 'registry: '],
    [
      'with a value in the place of a name',
      base.replace('- DATABASE_URL', '- "postgres://u:p@h/db"'),
      staging,
      'a secret is named that has no usable name',
    ],
  ])('%s', (_what, all, own, problem) => {
    expect(() => read(own, all)).toThrow(KamalConfigError);
    expect(() => read(own, all)).toThrow(problem);
  });
});

describe('the registry', () => {
  it("is Docker's hub when none is named", () => {
    expect(read(staging, without(/^ {2}server:.*$/m)).registry?.server).toBe('docker.io');
  });

  it('that Kamal starts by itself cannot be asked', () => {
    expect(read(staging, base.replace(/server: .*/, 'server: localhost:5000')).registry).toBeNull();
  });

  it('may have its user name as a secret, and its password in the file', () => {
    const facts = read(
      staging,
      base.replace('username: AWS', 'username: [REGISTRY_USER]').replace(/password:\n.*/, 'password: written-down'),
    );
    expect(facts.registry).toMatchObject({ username: null, usernameName: 'REGISTRY_USER', passwordName: null });
    expect(facts.registryPassword).toBe('written-down');
    expect(facts.secretNames).toContain('REGISTRY_USER');
  });
});

it('reads aliases and merge keys as Ruby does', () => {
  const all = base
    .replace('servers:', 'x: &common\n  proxy: false\n  hosts: [10.0.0.7]\nservers:')
    .replace('hosts: []\n    proxy: false\n    cmd', '<<: *common\n    cmd');
  expect(read('{}', all).roles[0]).toEqual({ role: 'web', hosts: ['10.0.0.7'] });
});
