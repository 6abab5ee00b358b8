import { inspect } from 'node:util';
import { ConfigError, loadConfig } from '../../src/config';
import type { ProcessName } from '../../src/settings';

const least = {
  DATABASE_URL: 'postgres://ym:db-password@db:5432/fleet',
  CALLBACK_BASE_URL: 'http://10.0.0.10:3080',
  GH_SERVICE_SECRET: 'service-secret-1',
};

const problemsOf = (env: NodeJS.ProcessEnv, processName?: ProcessName): readonly string[] => {
  try {
    loadConfig({ ...least, ...env }, processName);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
};

const messagesOf = (env: NodeJS.ProcessEnv, processName?: ProcessName): string[] =>
  loadConfig({ ...least, ...env }, processName).notices.map(({ level, message }) => `${level}: ${message}`);

it('needs a database, a callback address and a key, and has a default for the rest', () => {
  expect(loadConfig(least, 'gateway')).toMatchObject({
    temporal: { address: '127.0.0.1:7233', namespace: 'default', tls: null, apiKey: null },
    gateway: { host: '127.0.0.1', port: 3080, publicUrl: 'http://127.0.0.1:3080', trustProxy: 0, legacySecretInQuery: false },
    database: { poolMax: 10, directUrl: null },
    callbackBaseUrl: 'http://10.0.0.10:3080',
    hostAddressMap: {},
    metricsPort: 9464,
    logLevel: 'info',
    retentionMs: 30 * 86_400_000,
  });
  expect(loadConfig(least, 'orchestrator')).toMatchObject({ database: { poolMax: 24 }, metricsPort: 9465, process: { activitySlots: 20 } });
});

it('names every problem at once', () => {
  const problems = problemsOf(
    { DATABASE_URL: '', GATEWAY_PORT: 'eighty', TRUST_PROXY: '11', LOG_LEVEL: 'loud', LOG_PRETTY: 'yes', YARDMASTER_KEYS: 'x' },
    'gateway',
  );
  expect(problems).toEqual([
    'DATABASE_URL is not set',
    'GATEWAY_PORT must be a whole number from 0 to 65535',
    'TRUST_PROXY must be a whole number from 0 to 10',
    expect.stringMatching(/^YARDMASTER_KEYS entry 1 must be name:role:secret/),
    'LOG_LEVEL must be error, warn, info or debug',
    'LOG_PRETTY must be true or false',
  ]);
});

it.each<[string, NodeJS.ProcessEnv, ProcessName, RegExp]>([
  ['a database URL of another kind', { DATABASE_URL: 'mysql://a:hidden-1@b/c' }, 'gateway', /^DATABASE_URL must be a URL such as postgres/],
  [
    'a callback address with a query',
    { CALLBACK_BASE_URL: 'http://a/?token=hidden-1' },
    'orchestrator',
    /^CALLBACK_BASE_URL must be a URL/,
  ],
  [
    'an origin with a path',
    { CALLBACK_ALLOWED_ORIGINS: 'https://valet.example/hook' },
    'orchestrator',
    /^CALLBACK_ALLOWED_ORIGINS must be origins/,
  ],
  ['a short secret', { GH_SERVICE_SECRET: 'short' }, 'gateway', /^GH_SERVICE_SECRET must have at least 8/],
  [
    'a key with an unknown role',
    { YARDMASTER_KEYS: 'ops:king:hidden-1-hidden' },
    'gateway',
    /^YARDMASTER_KEYS entry 1 .* product, operator, deployer, read_only/,
  ],
  ['a key with a short secret', { YARDMASTER_KEYS: 'ops:operator:abc' }, 'gateway', /the secret of "ops"/],
  [
    'three secrets of one name',
    { YARDMASTER_KEYS: 'a:operator:hidden-11,a:operator:hidden-12,a:operator:hidden-13' },
    'gateway',
    /"a" has more than 2/,
  ],
  ['a name with two roles', { YARDMASTER_KEYS: 'a:operator:hidden-11,a:product:hidden-12' }, 'gateway', /"a" has two roles/],
  ['one secret under two names', { YARDMASTER_KEYS: 'a:operator:hidden-11,b:product:hidden-11' }, 'gateway', /"b" is used twice/],
  ['a gateway without any key', { GH_SERVICE_SECRET: '' }, 'gateway', /^No key opens the gateway/],
  ['an orchestrator that GH cannot answer', { CALLBACK_BASE_URL: '' }, 'orchestrator', /^CALLBACK_BASE_URL is not set/],
  ['a pool smaller than the activities', { DATABASE_POOL_MAX: '19' }, 'orchestrator', /^DATABASE_POOL_MAX must be at least ACTIVITY_SLOTS/],
  ['a certificate without its key', { TEMPORAL_TLS_CLIENT_CERT_PATH: '/c.pem' }, 'gateway', /go together/],
  [
    'TLS switched off beside an API key',
    { TEMPORAL_TLS: 'false', TEMPORAL_API_KEY: 'hidden-1-hidden' },
    'gateway',
    /^TEMPORAL_TLS is false/,
  ],
  [
    'a host map without a worker address',
    { HOST_ADDRESS_MAP: '10.0.0.1=http://a:1' },
    'gateway',
    /^HOST_ADDRESS_MAP "10.0.0.1=http:\/\/a:1" must be/,
  ],
  ['a key for secrets that is too short', { SECRETS_KEY: 'hidden-1' }, 'orchestrator', /^SECRETS_KEY must be 64 hexadecimal digits$/],
  ['a previous key without a present one', { SECRETS_KEY_PREVIOUS: 'ab'.repeat(32) }, 'gateway', /^SECRETS_KEY_PREVIOUS is set without/],
  [
    'an unknown means of a cancel',
    { CANCEL_MEANS: 'listener,hidden-1' },
    'orchestrator',
    /^CANCEL_MEANS must name .* listener, recycle, http$/,
  ],
  [
    'a variable of Kamal’s own',
    { KAMAL_ENVIRONMENT: 'SERVICE,KAMAL_LOCK' },
    'deployer',
    /^KAMAL_ENVIRONMENT "KAMAL_LOCK" must be the name/,
  ],
  [
    'a port that nobody has',
    { KAMAL_ROLE_PORTS: 'web=http' },
    'deployer',
    /^KAMAL_ROLE_PORTS "web=http" must be role=api\|worker\|both\|none$/,
  ],
  ['a means named twice', { CANCEL_MEANS: 'recycle,recycle' }, 'orchestrator', /^CANCEL_MEANS must name each at most once/],
  [
    'a recycle command in the words of a shell',
    { RECYCLE_COMMAND: 'docker hidden-1' },
    'deployer',
    /^RECYCLE_COMMAND must be a JSON array/,
  ],
  [
    'a check of the recycle command that names a worker',
    { RECYCLE_CHECK_COMMAND: '["docker","-H","ssh://{host}","version"]' },
    'deployer',
    /^RECYCLE_CHECK_COMMAND must have no placeholder/,
  ],
  ['a recycle command that names no worker', { RECYCLE_COMMAND: '["docker","hidden-1"]' }, 'deployer', /^RECYCLE_COMMAND must say with/],
])('refuses %s, without repeating a secret', (_what, env, processName, problem) => {
  const problems = problemsOf(env, processName);
  expect(problems).toEqual([expect.stringMatching(problem)]);
  expect(problems.join()).not.toContain('hidden-1');
});

it('reads keys by name and role, two at once for a name, with colons in the secret', () => {
  const { keys } = loadConfig(
    { ...least, YARDMASTER_KEYS: 'ops:operator:first:secret, ops:operator:second-secret,eye:read_only:third-secret' },
    'gateway',
  );
  expect(keys.map(({ name, role, secret }) => [name, role, secret.unredacted()])).toEqual([
    ['ops', 'operator', 'first:secret'],
    ['ops', 'operator', 'second-secret'],
    ['eye', 'read_only', 'third-secret'],
    ['valet', 'product', 'service-secret-1'],
  ]);
});

it('accepts the previous service secret and sends the present one', () => {
  const { product, keys } = loadConfig({ ...least, GH_SERVICE_SECRET_PREVIOUS: 'service-secret-0' }, 'gateway');
  expect(product.serviceSecret?.unredacted()).toBe('service-secret-1');
  expect(product.acceptedServiceSecrets.map((secret) => secret.unredacted())).toEqual(['service-secret-1', 'service-secret-0']);
  expect(keys.map(({ name }) => name)).toEqual(['valet', 'valet']);
});

describe('the deployer’s key under its two names', () => {
  const deployers = (env: NodeJS.ProcessEnv): string[] =>
    loadConfig({ ...least, ...env }, 'gateway')
      .keys.filter(({ role }) => role === 'deployer')
      .map(({ secret }) => secret.unredacted());
  const heard = (env: NodeJS.ProcessEnv): string[] =>
    messagesOf({ DATABASE_DIRECT_URL: least.DATABASE_URL, SECRETS_KEY: 'ab'.repeat(32), ...env }, 'gateway');

  it('takes the older name with a notice', () => {
    expect(deployers({ GH_DEPLOY_SECRET: 'old-secret-1' })).toEqual(['old-secret-1']);
    expect(heard({ GH_DEPLOY_SECRET: 'old-secret-1' })).toEqual([expect.stringMatching(/^info: GH_DEPLOY_SECRET is used/)]);
  });

  it('takes the newer one with one warning when they differ', () => {
    const both = { ATM_DEPLOY_SECRET: 'new-secret-1', GH_DEPLOY_SECRET: 'old-secret-1' };
    expect(deployers(both)).toEqual(['new-secret-1']);
    expect(heard(both)).toEqual([expect.stringMatching(/^warn: ATM_DEPLOY_SECRET and GH_DEPLOY_SECRET are both set and differ/)]);
  });

  it('says nothing when they agree', () => {
    expect(heard({ ATM_DEPLOY_SECRET: 'one-secret-1', GH_DEPLOY_SECRET: 'one-secret-1' })).toEqual([]);
  });
});

it('tells what a configuration loses, and which names are not ours', () => {
  expect(messagesOf({ GH_SERVICE_SECRET: '', JOB_DISPATCH_MODE: 'queue', TASK_DISPATCH_MODE: 'queue' })).toEqual([
    expect.stringMatching(/^warn: GH_SERVICE_SECRET is not set/),
    expect.stringMatching(/^warn: SECRETS_KEY is not set/),
    expect.stringMatching(/^warn: CALLBACK_ALLOWED_ORIGINS is not set/),
    expect.stringMatching(/^info: JOB_DISPATCH_MODE belongs to GH/),
    expect.stringMatching(/^info: TASK_DISPATCH_MODE belongs to VALET/),
  ]);
});

it('reads what stops and what recycles a worker, and the keys of secrets', () => {
  const more = { CANCEL_MEANS: 'recycle, listener', SECRETS_KEY: 'AB'.repeat(32), SECRETS_KEY_PREVIOUS: '01'.repeat(32) };
  const { cancelMeans, secretsKey } = loadConfig({ ...least, ...more }, 'orchestrator');
  expect([cancelMeans, secretsKey?.current.unredacted(), secretsKey?.previous?.unredacted()]).toEqual([
    ['recycle', 'listener'],
    'ab'.repeat(32),
    '01'.repeat(32),
  ]);
  expect(
    loadConfig(
      { ...least, RECYCLE_COMMAND: '["x","{host}"]', RECYCLE_CHECK_COMMAND: '["x","--check"]', RECYCLE_TIMEOUT_SECONDS: '5' },
      'deployer',
    ),
  ).toMatchObject({
    recycle: { command: ['x', '{host}'], timeoutMs: 5_000, check: ['x', '--check'] },
    kamal: null,
    metricsPort: 9466,
    notices: [{ level: 'warn', message: 'KAMAL_CONFIG_DIR is not set: this deployer deploys nothing' }],
  });
  expect(loadConfig(least, 'orchestrator')).toMatchObject({ cancelMeans: ['listener', 'recycle'], secretsKey: null, recycle: null });
  expect(messagesOf({}, 'deployer')).toEqual([
    expect.stringMatching(/^warn: RECYCLE_COMMAND is not set/),
    expect.stringMatching(/^warn: KAMAL_CONFIG_DIR is not set/),
  ]);
});

it('gives a command what it needs to run, and none of our secrets', () => {
  const { childEnvironment } = loadConfig({ ...least, PATH: '/bin', SSH_AUTH_SOCK: '/agent', NODE_OPTIONS: '--inspect' }, 'deployer');
  expect(childEnvironment).toEqual({ PATH: '/bin', SSH_AUTH_SOCK: '/agent' });
});

it('reads origins, hosts and TLS', () => {
  const config = loadConfig({
    ...least,
    CALLBACK_ALLOWED_ORIGINS: 'https://valet.example/, http://127.0.0.1:8000',
    HOST_ADDRESS_MAP: '10.0.0.1=http://127.0.0.1:3100/|http://127.0.0.1:3101, FD00:0::1=http://a|http://b',
    TEMPORAL_TLS_SERVER_CA_CERT_PATH: '/ca.pem',
  });
  expect(config.product.allowedCallbackOrigins).toEqual(['https://valet.example', 'http://127.0.0.1:8000']);
  expect(config.hostAddressMap).toEqual({
    '10.0.0.1': { api: 'http://127.0.0.1:3100', worker: 'http://127.0.0.1:3101' },
    'fd00::1': { api: 'http://a', worker: 'http://b' },
  });
  expect(config.temporal.tls).toEqual({ serverName: null, caPath: '/ca.pem', certPath: null, keyPath: null });
});

it('hands the log every secret, and prints none itself', () => {
  const config = loadConfig(
    {
      ...least,
      YARDMASTER_KEYS: 'ops:operator:ops-secret-1',
      GH_DEPLOY_SECRET: 'old-secret-1',
      TEMPORAL_API_KEY: 'api-key-1',
      DATABASE_PASSWORD: 'own p@ssword',
    },
    'gateway',
  );
  const secrets = [
    'ops-secret-1',
    'old-secret-1',
    'api-key-1',
    'service-secret-1',
    'db-password',
    'own p@ssword',
    'own%20p%40ssword',
    least.DATABASE_URL,
  ];
  expect(config.secrets.map((secret) => secret.unredacted())).toEqual(expect.arrayContaining(secrets));
  const printed = inspect(config, { depth: 9 }) + JSON.stringify(config);
  expect(secrets.filter((secret) => printed.includes(secret))).toEqual([]);
});

describe('a deployer with Kamal', () => {
  const env = {
    ...least,
    DATABASE_DIRECT_URL: least.DATABASE_URL,
    RECYCLE_COMMAND: '["x","{host}"]',
    RECYCLE_CHECK_COMMAND: '["x"]',
    KAMAL_CONFIG_DIR: '/srv/kamal',
  };

  it('knows where everything is, gives a running command ten minutes, and hides every secret of a deploy', () => {
    const config = loadConfig(
      {
        ...env,
        INSTALLATION: 'yard-1',
        DEPLOY_SECRET_GH_TOKEN: 'a-secret-of-a-test',
        DEPLOY_SECRET_EMPTY: '',
        LD_LIBRARY_PATH: '/opt/lib',
      },
      'deployer',
    );
    expect(config.kamal).toMatchObject({ bin: 'kamal', configDir: '/srv/kamal', secretsDir: null, installation: 'yard-1' });
    expect(config.kamal?.env['LD_LIBRARY_PATH']).toBe('/opt/lib');
    expect(config.kamal?.env['DEPLOY_SECRET_GH_TOKEN']).toBeUndefined();
    expect([...(config.kamal?.secrets.keys() ?? [])]).toEqual(['GH_TOKEN']);
    expect(config.secrets.map((secret) => secret.unredacted())).toContain('a-secret-of-a-test');
    expect(JSON.stringify([config.kamal?.secrets.get('GH_TOKEN')])).not.toContain('a-secret');
    expect(config.process).toMatchObject({ shutdownGraceMs: 600_000, shutdownForceMs: 630_000 });
    expect(config.notices).toEqual([]);
  });

  it('takes its name in Kamal’s lock from the machine, in letters that the lock may hold', () => {
    expect(loadConfig(env, 'deployer').kamal?.installation).toMatch(/^[\w.-]+$/);
  });

  it('does not start where it could not hold the place of the active one', () => {
    expect(() => loadConfig({ ...env, DATABASE_DIRECT_URL: undefined }, 'deployer')).toThrow(/DATABASE_DIRECT_URL/);
  });
});
