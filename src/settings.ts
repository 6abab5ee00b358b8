import { isIP } from 'node:net';
import { z } from 'zod';
import { parseJson } from './domain/json';
import { isKamalsOwn } from './domain/kamal-variables';
import { machineName } from './domain/machine-name';
import { findCheckProblem, findTemplateProblem } from './domain/recycle-command';
import { servedPorts, type RolePorts } from './domain/role-ports';
import { secretLengthMin } from './domain/secret-forms';
import { sensitive } from './domain/sensitive';

/** `migrate` is the command that makes our tables; the others are processes that stay. */
export const processNames = ['gateway', 'orchestrator', 'deployer', 'migrate'] as const;
export type ProcessName = (typeof processNames)[number];

export const keyRoles = ['product', 'operator', 'deployer', 'read_only'] as const;
export type KeyRole = (typeof keyRoles)[number];

/** How the process of a running attempt is ended (design §5.2). */
export const cancelMeans = ['listener', 'recycle', 'http'] as const;
export type CancelMeans = (typeof cancelMeans)[number];

interface Documented {
  meaning: string;
  processes: readonly ProcessName[];
  /** Said instead of the schema's own default, where the process decides. */
  default?: string;
  /** Set in `.env.example`; every other setting stands there as a comment. */
  example?: string;
}

/** What each setting means, for `.env.example` and docs/settings.md. */
const documented = z.registry<Documented>();

const every = processNames;
const staying = ['gateway', 'orchestrator', 'deployer'] as const;
const jobProcesses = ['gateway', 'orchestrator'] as const;

const whole = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d+$/, `must be a whole number from ${min} to ${max}`)
    .transform(Number)
    .refine((value) => value >= min && value <= max, `must be a whole number from ${min} to ${max}`);

const flag = () => z.enum(['true', 'false'], 'must be true or false').transform((text) => text === 'true');

const secret = () => z.string().min(secretLengthMin, `must have at least ${secretLengthMin} characters`).transform(sensitive);

const postgresUrl = () =>
  z
    .string()
    .refine(
      (text) => /^postgres(ql)?:\/\//.test(text) && URL.canParse(text),
      'must be a URL such as postgres://user:password@host:5432/database',
    )
    .transform(sensitive);

const aesKey = () =>
  z
    .string()
    .regex(/^[0-9a-fA-F]{64}$/, 'must be 64 hexadecimal digits')
    .transform((text) => sensitive(text.toLowerCase()));

/** Where somebody else reaches us, so it is written into rows: no user-info, no query. */
const baseUrl = () =>
  z
    .string()
    .refine(isBareHttpUrl, 'must be a URL such as https://yardmaster.example, without user name, query and fragment')
    .transform((text) => text.replace(/\/+$/, ''));

function isBareHttpUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, search, hash } = new URL(text);
  return /^https?:$/.test(protocol) && [username, password, search, hash].every((part) => part === '');
}

const list = (text: string): string[] =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');

const origins = () =>
  z
    .string()
    .transform(list)
    .refine(
      (items) => items.every((item) => isBareHttpUrl(item) && new URL(item).origin === item.replace(/\/$/, '')),
      'must be origins such as https://valet.example, separated by commas',
    )
    .transform((items) => items.map((item) => new URL(item).origin));

const keys = () =>
  z.string().transform((text, context) =>
    list(text).map((item, index) => {
      const [, name, role, value] = /^([\w-]{1,50}):([\w-]+):(.+)$/.exec(item) ?? [];
      const knownRole = keyRoles.find((known) => known === role);
      if (name === undefined || knownRole === undefined || value === undefined) {
        // The text itself is a secret, so the place has to do.
        context.addIssue({
          code: 'custom',
          message: `entry ${index + 1} must be name:role:secret with one of the roles ${keyRoles.join(', ')}`,
        });
        return z.NEVER;
      }
      if (value.length < secretLengthMin) {
        context.addIssue({ code: 'custom', message: `the secret of "${name}" must have at least ${secretLengthMin} characters` });
      }
      return { name, role: knownRole, secret: sensitive(value) };
    }),
  );

const hostAddressMap = () =>
  z.string().transform((text, context) => {
    const entries = list(text).map((item) => {
      const [, ip, api, worker] = /^([^=]+)=([^|]+)\|([^|]+)$/.exec(item) ?? [];
      if (ip === undefined || isIP(ip) === 0 || api === undefined || worker === undefined || ![api, worker].every(isBareHttpUrl)) {
        context.addIssue({ code: 'custom', message: `"${item}" must be ip=apiUrl|workerUrl` });
        return z.NEVER;
      }
      return [machineName(ip), { api: api.replace(/\/+$/, ''), worker: worker.replace(/\/+$/, '') }] as const;
    });
    return Object.fromEntries(entries) as Record<string, HostAddress>;
  });

/** What Kamal takes for its own orders, but for ATM's names of secrets. */
const variableNames = () =>
  z.string().transform((text, context) => {
    const names = list(text);
    for (const name of names.filter((each) => !/^[A-Za-z_]\w*$/.test(each) || isKamalsOwn(each)))
      context.addIssue({ code: 'custom', message: `"${name}" must be the name of a variable, and none of Kamal’s own` });
    return names;
  });

const rolePorts = () =>
  z.string().transform((text, context): RolePorts => {
    const entries = list(text).map((item) => {
      const [, role, ports] = /^([\w-]+|\*)=(\w+)$/.exec(item) ?? [];
      const served = servedPorts.find((known) => known === ports);
      if (role !== undefined && served !== undefined) return [role, served] as const;
      context.addIssue({ code: 'custom', message: `"${item}" must be role=${servedPorts.join('|')}` });
      return z.NEVER;
    });
    return Object.fromEntries(entries);
  });

const means = () =>
  z.string().transform((text, context): CancelMeans[] => {
    const named = list(text).map((item) => cancelMeans.find((known) => known === item));
    const known = named.filter((item) => item !== undefined);
    if (known.length < named.length || known.length === 0 || new Set(known).size < known.length) {
      context.addIssue({ code: 'custom', message: `must name each at most once, separated by commas: ${cancelMeans.join(', ')}` });
      return z.NEVER;
    }
    return known;
  });

const command = (findProblem: (given: readonly string[]) => string | null, such: string) =>
  z.string().transform((text, context): [string, ...string[]] => {
    const parsed = z.array(z.string()).max(commandArgumentsMax).safeParse(parseJson(text));
    const [program, ...rest] = parsed.data ?? [];
    const problem = parsed.success ? findProblem(parsed.data) : `must be a JSON array of arguments such as ${such}`;
    if (program === undefined || problem !== null) {
      context.addIssue({ code: 'custom', message: problem ?? '' });
      return z.NEVER;
    }
    return [program, ...rest];
  });

const commandTemplate = () => command(findTemplateProblem, '["docker","-H","ssh://{host}","restart","ghosthands-worker"]');
const checkCommand = () => command(findCheckProblem, '["docker","-H","ssh://10.0.0.7","version"]');

const commandArgumentsMax = 64;

export interface HostAddress {
  api: string;
  worker: string;
}

/** The environment: one entry a setting, in the order in which they are documented. */
export const settings = {
  DATABASE_URL: postgresUrl().register(documented, {
    meaning: 'Postgres of the fleet, for statements. May point to a pooler.',
    processes: every,
    example: 'postgres://yardmaster:change-me@127.0.0.1:5432/fleet',
  }),
  DATABASE_DIRECT_URL: postgresUrl().optional().register(documented, {
    meaning:
      'The same database without a transaction pooler between, for LISTEN, migrations and session locks. Without it news comes by polling: commands in rows every 5 s, jobs to assign every second. Equal to DATABASE_URL, it says that no pooler is there, and statements are prepared once a connection.',
    processes: every,
    example: 'postgres://yardmaster:change-me@127.0.0.1:5432/fleet',
  }),
  DATABASE_USER: z.string().min(1).max(63).optional().register(documented, {
    meaning:
      'Logs in to both instead of whom their URLs name, so that one URL serves all processes and each has its own role (docs/operators.md).',
    processes: every,
  }),
  DATABASE_PASSWORD: secret().optional().register(documented, {
    meaning: 'Its password, instead of that of the URLs.',
    processes: every,
  }),
  DATABASE_POOL_MAX: whole(2, 500).optional().register(documented, {
    meaning: 'Connections of the pool. The orchestrator needs one for each activity slot.',
    processes: staying,
    default: 'gateway 10, orchestrator 24, deployer 8',
  }),
  TEMPORAL_ADDRESS: z
    .string()
    .regex(/^[^\s/:]+:\d{1,5}$|^\[[0-9a-fA-F:]+\]:\d{1,5}$/, 'must be host:port')
    .prefault('127.0.0.1:7233')
    .register(documented, {
      meaning: 'Frontend of the Temporal cluster.',
      processes: staying,
    }),
  TEMPORAL_NAMESPACE: z
    .string()
    .regex(/^[\w.-]+$/, 'must be the name of a namespace')
    .prefault('default')
    .register(documented, {
      meaning: 'Namespace of all our workflows.',
      processes: staying,
    }),
  TEMPORAL_API_KEY: secret()
    .optional()
    .register(documented, { meaning: 'API key, as for Temporal Cloud. It turns TLS on.', processes: staying }),
  TEMPORAL_TLS: flag().optional().register(documented, {
    meaning: 'TLS to the cluster. The following four turn it on as well.',
    processes: staying,
    default: 'false',
  }),
  TEMPORAL_TLS_SERVER_NAME: z
    .string()
    .optional()
    .register(documented, { meaning: 'Name in the certificate, when it is not that of the address.', processes: staying }),
  TEMPORAL_TLS_SERVER_CA_CERT_PATH: z
    .string()
    .optional()
    .register(documented, { meaning: 'File with the authority (PEM) that signed it.', processes: staying }),
  TEMPORAL_TLS_CLIENT_CERT_PATH: z
    .string()
    .optional()
    .register(documented, { meaning: 'File with our certificate (PEM), for mutual TLS.', processes: staying }),
  TEMPORAL_TLS_CLIENT_KEY_PATH: z.string().optional().register(documented, { meaning: 'File with its key (PEM).', processes: staying }),
  GATEWAY_HOST: z
    .string()
    .prefault('127.0.0.1')
    .register(documented, {
      meaning: 'Address that the gateway listens on. 0.0.0.0 opens it to other machines.',
      processes: ['gateway'],
    }),
  GATEWAY_PORT: whole(0, 65_535)
    .prefault('3080')
    .register(documented, { meaning: 'Port of the gateway; 0 takes a free one.', processes: ['gateway'] }),
  GATEWAY_PUBLIC_URL: baseUrl()
    .optional()
    .register(documented, {
      meaning: 'Where people and the product reach the gateway.',
      processes: ['gateway'],
      default: 'http://127.0.0.1:GATEWAY_PORT',
    }),
  GATEWAY_WORKER_PORT: whole(0, 65_535)
    .optional()
    .register(documented, {
      meaning:
        'A second port of the gateway with the worker pages alone (/worker/status, /worker/health, /worker/drain): VALET derives :3101 from GHOSTHANDS_API_URL. Not set, there is none.',
      processes: ['gateway'],
    }),
  CALLBACK_BASE_URL: baseUrl().optional().register(documented, {
    meaning: 'Where GH workers reach the gateway; it is written into every attempt row. Needed unless GATEWAY_PUBLIC_URL is set.',
    processes: jobProcesses,
    default: 'GATEWAY_PUBLIC_URL',
    example: 'http://10.0.0.10:3080',
  }),
  TRUST_PROXY: whole(0, 10)
    .prefault('0')
    .register(documented, {
      meaning: 'Number of reverse proxies before the gateway, whose X-Forwarded-For is believed.',
      processes: ['gateway'],
    }),
  BODY_BYTES_MAX: whole(1_024, 16_777_216)
    .prefault('262144')
    .register(documented, { meaning: 'Largest request body.', processes: ['gateway'] }),
  RATE_LIMIT_PER_MINUTE: whole(1, 1_000_000)
    .prefault('1200')
    .register(documented, { meaning: 'Requests of one caller in a minute.', processes: ['gateway'] }),
  KEEP_ALIVE_SECONDS: whole(1, 4_000)
    .prefault('75')
    .register(documented, {
      meaning:
        'How long a connection without a request stays open. Longer than that of every proxy and pool of clients before the gateway, which else loses a request now and then to the close: 60 s is usual for them.',
      processes: ['gateway'],
    }),
  CORS_ORIGINS: origins()
    .prefault('')
    .register(documented, {
      meaning:
        'Origins whose web pages may read the paths of ATM’s dashboard, separated by commas. Pages of the gateway’s own origin need none.',
      processes: ['gateway'],
      default: 'none',
    }),
  ATM_OPEN_READS: flag()
    .prefault('false')
    .register(documented, {
      meaning:
        'Answers to anybody what ATM answers to anybody: /deploy/stream, /deploys and GET /kamal/*. Off, they need a key or the session cookie of POST /v1/session.',
      processes: ['gateway'],
    }),
  LEGACY_SECRET_IN_QUERY: flag()
    .prefault('false')
    .register(documented, {
      meaning: 'Accepts ?secret= and ?token= on the callback path, as old GH releases send it. URLs end up in logs: leave it off.',
      processes: ['gateway'],
    }),
  YARDMASTER_KEYS: keys()
    .prefault('')
    .register(documented, {
      meaning: `Keys as name:role:secret, separated by commas. Roles: ${keyRoles.join(', ')}. Two secrets may be valid at once for a name, to change one without a gap.`,
      processes: ['gateway'],
      default: 'none',
      example: 'ops:operator:change-me-1',
    }),
  GH_SERVICE_SECRET: secret().optional().register(documented, {
    meaning: 'The key that the product, GH and we share: opens the product’s paths and the callback path, and goes out with callbacks.',
    processes: jobProcesses,
    example: 'change-me-2',
  }),
  GH_SERVICE_SECRET_PREVIOUS: secret()
    .optional()
    .register(documented, {
      meaning: 'Still accepted while GH_SERVICE_SECRET is being changed; never sent.',
      processes: ['gateway'],
    }),
  ATM_DEPLOY_SECRET: secret()
    .optional()
    .register(documented, { meaning: 'Key of the deployer role, under the name that ATM uses.', processes: ['gateway'] }),
  GH_DEPLOY_SECRET: secret()
    .optional()
    .register(documented, {
      meaning: 'The older name of ATM_DEPLOY_SECRET; used when that one is not set.',
      processes: ['gateway'],
    }),
  CALLBACK_ALLOWED_ORIGINS: origins().prefault('').register(documented, {
    meaning: 'Origins that callbacks may go to, separated by commas. The service secret goes there too, so name only your own.',
    processes: jobProcesses,
    default: 'none',
    example: 'https://valet.example',
  }),
  CALLBACK_ALLOW_PRIVATE_ADDRESSES: flag()
    .prefault('false')
    .register(documented, {
      meaning: 'Lets callbacks go to loopback and private addresses.',
      processes: ['orchestrator'],
    }),
  PRODUCT_SEES_WORKER_ID: flag().prefault('false').register(documented, {
    meaning:
      "Public rows and callbacks name the worker of a job. VALET then sends its commands to that worker's machine, past the gateway, unless ATM_BASE_URL is the gateway and each sandbox has its tags.atm_fleet_id: leave it false before that holds for every machine.",
    processes: jobProcesses,
  }),
  HOST_ADDRESS_MAP: hostAddressMap().prefault('').register(documented, {
    meaning:
      'Other addresses for hosts, as ip=apiUrl|workerUrl, separated by commas. Without an entry a host is http://ip:3100 and http://ip:3101.',
    processes: staying,
    default: 'none',
  }),
  FLEET_CONFIG: z.string().optional().register(documented, {
    meaning:
      'The machines of the fleet as JSON, an array or {"servers": […]} with id, name, host, environment, region, ip, type, role and ec2InstanceId. Compared with the registry; wrong entries are left out and named in the log.',
    processes: jobProcesses,
  }),
  FLEET_FILE: z.string().optional().register(documented, {
    meaning: 'A file with the same, such as ATM’s fleet.json; read again in each sweep. FLEET_CONFIG wins over it.',
    processes: jobProcesses,
  }),
  FLEET_ENVIRONMENT: z
    .string()
    .regex(/^[\w-]{1,50}$/, 'must be a name such as staging')
    .prefault('staging')
    .register(documented, {
      meaning:
        'Environment of machines whose own the configuration does not name, for the dashboard; and the destination that ATM’s paths mean where none is named.',
      processes: ['gateway'],
    }),
  SECRETS_KEY: aesKey().optional().register(documented, {
    meaning:
      'Key under which the codes and passwords of a resume wait in Postgres for their minutes: 64 hexadecimal digits, as `openssl rand -hex 32` makes them; the same for both processes. Without it a resume that carries one is refused.',
    processes: jobProcesses,
  }),
  SECRETS_KEY_PREVIOUS: aesKey().optional().register(documented, {
    meaning: 'Still opens what was sealed before SECRETS_KEY was changed; wanted for a few minutes only.',
    processes: jobProcesses,
  }),
  CANCEL_MEANS: means()
    .prefault('listener,recycle')
    .register(documented, {
      meaning:
        'How the process of a running job is stopped, in this order: its cancel listener is ended, it is recycled, or GH’s own HTTP cancel is asked (no GH honours it yet).',
      processes: ['orchestrator'],
    }),
  RECYCLE_COMMAND: commandTemplate()
    .optional()
    .register(documented, {
      meaning:
        'Replaces a worker’s process by a fresh one at once: a JSON array of a program and its arguments with the placeholders {host}, {workerId} and {instanceId}, such as `["docker","-H","ssh://{host}","restart","-t","0","ghosthands-worker"]`. No shell reads it. It sees PATH, HOME, SSH_AUTH_SOCK, the DOCKER_ variables and the locale, and nothing else of our environment.',
      processes: ['deployer'],
    }),
  RECYCLE_CHECK_COMMAND: checkCommand()
    .optional()
    .register(documented, {
      meaning:
        'Looks whether recycles are possible, and changes nothing: a JSON array without placeholders, such as `["docker","-H","ssh://10.0.0.7","version"]`. Tried at the start of the deployer and every 5 min, 20 s at most; the log and GET /v1/fleet say what came of it. Without it the recycle command counts as never tried until it has recycled a worker.',
      processes: ['deployer'],
    }),
  RECYCLE_TIMEOUT_SECONDS: whole(1, 300)
    .prefault('60')
    .register(documented, { meaning: 'Then the recycle command is ended, with everything it started.', processes: ['deployer'] }),
  KAMAL_CONFIG_DIR: z
    .string()
    .optional()
    .register(documented, {
      meaning:
        'Directory of the Kamal project: it holds `config/deploy.yml`, and is never written to. Without it the deployer serves recycles only; all deployers of one database have it, or none.',
      processes: ['deployer'],
    }),
  KAMAL_BIN: z
    .string()
    .prefault('kamal')
    .register(documented, { meaning: 'The Kamal program: a path, or a name on the PATH.', processes: ['deployer'] }),
  KAMAL_ENVIRONMENT: variableNames()
    .prefault('')
    .register(documented, {
      meaning:
        'Names, separated by commas, of variables of the deployer’s environment that Kamal gets too, its hooks with it: what `<%= ENV["NAME"] %>` in deploy.yml reads. Besides them it sees PATH, HOME, SSH_AUTH_SOCK and the like.',
      processes: ['deployer'],
      default: 'none',
    }),
  KAMAL_ROLE_PORTS: rolePorts()
    .prefault('web=api,*=worker')
    .register(documented, {
      meaning:
        'Which of GH’s two ports each role of deploy.yml is to answer on before it counts as verified: role=api, worker, both or none, separated by commas; `*` is every other role.',
      processes: ['deployer'],
    }),
  DEPLOY_SECRETS_DIR: z
    .string()
    .optional()
    .register(documented, {
      meaning:
        'Where the secrets that Kamal asks for are, one a file: `<directory>/<destination>/<NAME>`, then `<directory>/<NAME>`. What is in neither is looked for in the environment as `DEPLOY_SECRET_<NAME>`; the compose file passes no such variable, so with it they come as files.',
      processes: ['deployer'],
    }),
  DEPLOY_STATE_DIR: z
    .string()
    .optional()
    .register(documented, {
      meaning:
        'Where each deploy has its private directory while Kamal runs. Of this machine alone, and it survives a restart of the deployer.',
      processes: ['deployer'],
      default: 'yardmaster-deploys in the directory for temporary files',
    }),
  INSTALLATION: z
    .string()
    .regex(/^[\w.-]{1,100}$/, 'must be a name of letters, digits, dots, dashes and underscores')
    .optional()
    .register(documented, {
      meaning: 'Names this control plane in Kamal’s lock, the same for all its deployers: a lock of another name is never taken over.',
      processes: ['deployer'],
      default: 'the name of the machine',
    }),
  ACTIVITY_SLOTS: whole(1, 400)
    .prefault('20')
    .register(documented, { meaning: 'Activities that one orchestrator runs at once.', processes: ['orchestrator'] }),
  SHUTDOWN_GRACE_SECONDS: whole(1, 1_800).optional().register(documented, {
    meaning:
      'After SIGTERM, what is under way may end in this time, and a while later the process ends anyway. For a deployer with Kamal: the command that runs.',
    processes: staying,
    default: '10; a deployer with Kamal 600',
  }),
  RETENTION_DAYS: whole(1, 3_650)
    .prefault('30')
    .register(documented, { meaning: 'Ended jobs stay readable for so long, then their rows are deleted.', processes: ['orchestrator'] }),
  DEPLOY_RETENTION_DAYS: whole(1, 3_650)
    .prefault('365')
    .register(documented, { meaning: 'Ended deploys stay readable for so long.', processes: ['orchestrator'] }),
  DEPLOY_LOG_RETENTION_DAYS: whole(1, 3_650)
    .prefault('90')
    .register(documented, { meaning: 'And the lines of their logs.', processes: ['orchestrator'] }),
  METRICS_HOST: z.string().prefault('127.0.0.1').register(documented, { meaning: 'Address that /metrics listens on.', processes: staying }),
  METRICS_PORT: whole(0, 65_535).optional().register(documented, {
    meaning: 'Port of /metrics; 0 takes a free one.',
    processes: staying,
    default: 'gateway 9464, orchestrator 9465, deployer 9466',
  }),
  LOG_LEVEL: z
    .enum(['error', 'warn', 'info', 'debug'], 'must be error, warn, info or debug')
    .prefault('info')
    .register(documented, { meaning: 'error, warn, info or debug.', processes: every }),
  LOG_PRETTY: flag()
    .prefault('false')
    .register(documented, { meaning: 'Lines for a person at a terminal instead of JSON.', processes: every }),
} as const;

export type SettingName = keyof typeof settings;
export type Settings = { [Name in SettingName]: z.output<(typeof settings)[Name]> };

export interface SettingDoc {
  name: string;
  meaning: string;
  default: string;
  processes: readonly ProcessName[];
  example: string | null;
}

/** The documentation of the settings as data, in order. */
export const settingDocs = (): SettingDoc[] =>
  Object.entries(settings).map(([name, schema]) => {
    const doc = documented.get(schema);
    if (doc === undefined) throw new Error(`${name} has no documentation`);
    const ownDefault = schema instanceof z.ZodPrefault ? schema.def.defaultValue : schema instanceof z.ZodOptional ? 'none' : 'required';
    return { name, meaning: doc.meaning, processes: doc.processes, default: doc.default ?? ownDefault, example: doc.example ?? null };
  });
