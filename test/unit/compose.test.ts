import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { loadConfig } from '../../src/config';
import { searchAttributes } from '../../src/contracts/messages';
import { projectRoot } from '../../src/project-root';
import { isSecretField } from '../../src/domain/redact';
import { settingDocs } from '../../src/settings';

const file = 'docker-compose.temporal.yml';
const read = (name: string): string => readFileSync(join(projectRoot(), name), 'utf8');

const serviceSchema = z.object({
  image: z.string(),
  command: z.array(z.string()).optional(),
  environment: z.record(z.string(), z.string()).default({}),
  healthcheck: z.object({ test: z.array(z.string()) }).optional(),
  restart: z.string(),
  stop_grace_period: z.string().optional(),
  volumes: z.array(z.string()).default([]),
  build: z.union([z.string(), z.object({ target: z.string() })]).optional(),
  ports: z.array(z.string()).default([]),
  profiles: z.array(z.string()).default([]),
});
const composeSchema = z.object({ services: z.record(z.string(), serviceSchema) });

const { services } = composeSchema.parse(parse(read(file), { merge: true }));
const service = (name: string): z.infer<typeof serviceSchema> => {
  const found = services[name];
  if (found === undefined) throw new Error(`There is no service ${name}`);
  return found;
};

const needed = {
  DATABASE_URL: 'postgres://yardmaster:secret-of-a-test@postgres:5432/fleet',
  GH_SERVICE_SECRET: 'secret-of-a-test-2',
  CALLBACK_BASE_URL: 'http://10.0.0.10:3080',
  POSTGRES_PASSWORD: 'secret-of-a-test-3',
  TEMPORAL_DB_PASSWORD: 'secret-of-a-test-4',
  YARDMASTER_DB_PASSWORD: 'secret-of-a-test-5',
};

const program = (process.env['PATH'] ?? '')
  .split(delimiter)
  .map((folder) => join(folder, 'docker-compose'))
  .find(existsSync);
// Debian's package; it reads the file without a daemon. Where it is missing, the tests below still read the file themselves.
const describeIfInstalled = program === undefined ? describe.skip : describe;

describeIfInstalled('docker-compose', () => {
  const folder = mkdtempSync(join(tmpdir(), 'compose-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  const config = (env: Record<string, string>) => {
    // Without it the developer's own .env would count.
    const envFile = join(folder, 'env');
    writeFileSync(envFile, '');
    return spawnSync(program ?? '', ['-f', file, '--profile', 'trial', '--env-file', envFile, 'config', '--quiet'], {
      cwd: projectRoot(),
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env },
      encoding: 'utf8',
    });
  };

  it('accepts the file', () => {
    const { status, stderr } = config(needed);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  it('ends with the name of a variable that is not set', () => {
    const { status, stderr } = config({ ...needed, CALLBACK_BASE_URL: '' });
    expect(status).not.toBe(0);
    expect(stderr).toContain('CALLBACK_BASE_URL');
  });
});

it.each(Object.keys(needed))('does not start without %s', (name) => {
  expect(read(file)).toMatch(new RegExp(`\\$\\{${name}:\\?is not set`));
});

it('holds no secret: each comes from a variable that has to be set, or may stay empty', () => {
  const secrets = Object.entries(services).flatMap(([name, { environment }]) =>
    Object.entries(environment)
      .filter(([variable]) => !variable.endsWith('_DIR'))
      .filter(([variable]) => isSecretField(variable) || /PASSWORD|PWD|SECRET|KEYS|_URL$/.test(variable))
      .map(([variable, value]) => `${name} ${variable} ${value}`),
  );
  expect(secrets.length).toBeGreaterThan(10);
  expect(secrets.filter((line) => !/ \$\{\w+(:\?[^}]*|:-(false)?)\}$/.test(line))).toEqual([]);
});

it.each(['gateway', 'orchestrator', 'deployer'] as const)('hands the %s every setting that is not of the cluster’s own', (name) => {
  const { environment } = service(name);
  const own = settingDocs().filter(({ processes, name: setting }) => processes.includes(name) && !/^TEMPORAL_(TLS|API_KEY)/.test(setting));
  expect(own.map((doc) => doc.name).filter((setting) => !(setting in environment))).toEqual([]);
  const known = settingDocs().map((doc) => doc.name);
  expect(Object.keys(environment).filter((variable) => !known.some((setting) => setting === variable))).toEqual([]);
});

it.each(['gateway', 'orchestrator', 'deployer'] as const)(
  'starts the %s with what the file gives it, and lets it end by itself',
  (name) => {
    const { environment, stop_grace_period: grace } = service(name);
    const given: Record<string, string> = { ...needed, DATABASE_DIRECT_URL: needed.DATABASE_URL, KAMAL_CONFIG_DIR: '/srv/kamal' };
    const env = Object.fromEntries(
      Object.entries(environment).map(([variable, value]) => [
        variable,
        value.replace(
          /^\$\{(\w+):([-?])(.*)\}$/,
          (_all, from: string, sign: string, text: string) => given[from] ?? (sign === '-' ? text : ''),
        ),
      ]),
    );
    const config = loadConfig(env, name);
    expect(config.temporal.address).toBe('temporal:7233');
    expect(config.metricsHost).toBe('0.0.0.0');
    expect(Number.parseInt(grace ?? '0', 10) * 1_000).toBeGreaterThan(config.process.shutdownForceMs);
  },
);

it.each(['migrate', 'gateway', 'orchestrator', 'deployer'] as const)('can let the %s log in as a role of its own', (name) => {
  const { environment } = service(name);
  const env = { ...needed, DATABASE_DIRECT_URL: needed.DATABASE_URL };
  expect(environment).toMatchObject({
    DATABASE_USER: `\${${name.toUpperCase()}_DATABASE_USER:-}`,
    DATABASE_PASSWORD: `\${${name.toUpperCase()}_DATABASE_PASSWORD:-}`,
  });
  const { database } = loadConfig({ ...env, DATABASE_USER: `yardmaster_${name}`, DATABASE_PASSWORD: 'p@ss:word/1' }, name);
  for (const url of [database.url, database.directUrl])
    expect(url?.unredacted()).toBe(`postgres://yardmaster_${name}:p%40ss%3Aword%2F1@postgres:5432/fleet`);
});

it('checks the health of what others wait for, and of what is ours', () => {
  const watched = ['postgres', 'temporal', 'gateway', 'orchestrator', 'deployer'];
  expect(watched.filter((name) => service(name).healthcheck === undefined)).toEqual([]);
  // Whether a process lives is no question to its database: a restart would bring nothing back.
  for (const name of ['gateway', 'orchestrator', 'deployer']) expect(service(name).healthcheck?.test.join(' ')).toContain('/livez');
});

it('opens no port to other machines without being told', () => {
  const ports = Object.values(services).flatMap((each) => each.ports);
  expect(ports.filter((port) => !/^(127\.0\.0\.1:|\$\{GATEWAY_PUBLISH:-127\.0\.0\.1:)/.test(port))).toEqual([]);
});

it('uses current images, and the shards, the retention and the search attributes of the design', () => {
  expect(read(file)).not.toContain('temporalio/auto-setup:');
  expect(service('temporal').environment['NUM_HISTORY_SHARDS']).toBe('64');
  const script = service('temporal-namespace').command?.join('\n') ?? '';
  expect(script).toContain('namespace create --retention 72h');
  const names = /for name in ([\w ]+);/.exec(script)?.[1]?.split(' ') ?? [];
  expect(names.toSorted()).toEqual(
    Object.values(searchAttributes)
      .map(({ name }) => name)
      .toSorted(),
  );
});

describe('the deployer', () => {
  const deployer = service('deployer');

  it('sees its keys, its configuration and its secrets, and cannot write them', () => {
    const mounts = deployer.volumes.filter((volume) => volume.startsWith('${'));
    expect(mounts.map((mount) => /(\/[\w./-]+)\}?:ro$/.exec(mount)?.[1])).toEqual(['/kamal', '/home/node/.ssh', '/run/deploy-secrets']);
    const folders = mounts.map((mount) => /:-(\.[\w./-]+)\}/.exec(mount)?.[1] ?? 'none');
    expect(folders.filter((folder) => !existsSync(join(projectRoot(), folder)))).toEqual([]);
  });

  it('has a pinned Kamal in its image, and is not root’s', () => {
    const stage = /^FROM yardmaster AS deployer$([^]*?)^FROM /m.exec(read('Dockerfile'))?.[1] ?? '';
    expect(deployer.build).toMatchObject({ target: 'deployer' });
    expect(stage).toMatch(/ARG KAMAL_VERSION=\d+\.\d+\.\d+/);
    expect(stage).toContain('"kamal==${KAMAL_VERSION}"');
    expect(stage.lastIndexOf('USER node')).toBeGreaterThan(stage.lastIndexOf('USER root'));
  });
});

describe('the image', () => {
  const dockerfile = read('Dockerfile');

  it('runs what the services name, and what it names exists', () => {
    const programs = ['migrate', 'gateway', 'orchestrator', 'deployer'].map((name) => service(name).command?.[0] ?? '');
    const sources = programs.map((path) => path.replace(/^dist\//, '').replace(/\.js$/, '.ts'));
    expect(sources.filter((source) => !existsSync(join(projectRoot(), source)))).toEqual([]);
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, from]) => (from ?? '').split(' '));
    expect(copied.filter((from) => !existsSync(join(projectRoot(), from)))).toEqual([]);
  });

  it('is not root’s, and holds neither development code nor secrets', () => {
    expect(dockerfile.lastIndexOf('USER node')).toBeGreaterThan(dockerfile.lastIndexOf('USER root'));
    const ignored = read('.dockerignore').split('\n');
    expect(ignored).toEqual(expect.arrayContaining(['*', '**/.env*']));
    expect(ignored.filter((line) => /^!(dev|test|bench)/.test(line))).toEqual([]);
    expect(dockerfile).toContain('npm ci --omit=dev');
  });
});
