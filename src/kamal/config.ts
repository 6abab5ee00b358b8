import { isMap, isSeq, parseDocument, Scalar, type Document } from 'yaml';
import { z } from 'zod';
import { deployNamePattern } from '../contracts/deploy';
import { machineName } from '../domain/machine-name';
import type { KnownRegistry } from './kamal';

/** A configuration of Kamal that it reads but that does not fit us, or that it would not read; the text is for a person. */
export class KamalConfigError extends Error {
  override readonly name = 'KamalConfigError';
}

export interface ConfigFacts {
  service: string;
  /** The primary role first, as everywhere in Kamal. */
  roles: { role: string; hosts: string[] }[];
  rolesFromFleet: string[];
  secretNames: string[];
  /** Values that are printed anyway, by name: a secret of that name needs none of its own. */
  clear: ReadonlyMap<string, string>;
  registry: KnownRegistry | null;
  /** A password that stands in the file itself. */
  registryPassword: string | null;
  /** Relative to their directory, or not. */
  hooksPath: string;
  deployTimeoutSeconds: number;
}

/** A host, alone or with its tags (`10.0.0.1: [tag]`). */
const hostSchema = z.union([z.string(), z.record(z.string(), z.unknown())]);
const hostsSchema = z.array(hostSchema);
const envSchema = z.looseObject({
  clear: z.record(z.string(), z.unknown()).nullish(),
  secret: z.array(z.string()).nullish(),
  tags: z.record(z.string(), z.looseObject({ secret: z.array(z.string()).nullish() })).nullish(),
});
const roleMapSchema = z.looseObject({ hosts: hostsSchema.nullish(), proxy: z.unknown().optional(), env: envSchema.nullish() });
type RoleConfig = z.output<typeof roleMapSchema>;
const roleSchema = z.union([
  hostsSchema.transform((hosts): RoleConfig => ({ hosts, proxy: undefined })),
  // `workers: ~` has no hosts yet. Once the fleet has filled it Kamal reads it, else it is Kamal that refuses it.
  z.null().transform((): RoleConfig => ({ hosts: [], proxy: undefined })),
  roleMapSchema,
]);
/** Itself, or the name of the secret that holds it. */
const valueOrNameSchema = z.union([z.string(), z.tuple([z.string()])]);

const configSchema = z.looseObject({
  service: z.string().regex(deployNamePattern, 'must be a name in small letters, digits, _ and -'),
  image: z.string().min(1),
  servers: z.union([
    hostsSchema.transform((hosts): Record<string, RoleConfig> => ({ web: { hosts, proxy: undefined } })),
    z.record(z.string(), roleSchema),
  ]),
  primary_role: z.string().default('web'),
  allow_empty_roles: z.boolean().nullish(),
  registry: z.looseObject({ server: z.string().nullish(), username: valueOrNameSchema, password: valueOrNameSchema }),
  env: envSchema.nullish(),
  builder: z.looseObject({ secrets: z.array(z.string()).nullish() }).nullish(),
  ssh: z.looseObject({ key_data: z.array(z.string()).nullish() }).nullish(),
  hooks_path: z.string().nullish(),
  deploy_timeout: z.number().nullish(),
});
type KamalConfig = z.output<typeof configSchema>;

/** Of a text whose ERB is evaluated (erb.ts). */
export const parseConfigFile = (text: string, file: string): Document => {
  // Ruby reads YAML 1.1.
  const document = parseDocument(text, { version: '1.1', merge: true, logLevel: 'silent' });
  const [problem] = [...document.errors, ...document.warnings];
  if (problem !== undefined) throw unreadable(file, problem);
  try {
    toPlain(document);
  } catch (error) {
    // An alias is followed only here: one of an anchor that is not there, or a bomb of them.
    throw unreadable(file, error);
  }
  return document;
};

const unreadable = (file: string, problem: unknown): KamalConfigError =>
  new KamalConfigError(
    `${file} is no YAML that Kamal reads: ${problem instanceof Error ? (problem.message.split('\n')[0] ?? '') : String(problem)}`,
  );

const toPlain = (document: Document): unknown => document.toJS({ maxAliasCount: 100 });

/** What a destination's file says over the one of all, as Kamal puts them together. */
export const readConfig = (base: Document, destination: Document): ConfigFacts => {
  const merged = mergeDeep(toRecord(base), toRecord(destination));
  const read = configSchema.safeParse(merged);
  if (!read.success) {
    const issue = read.error.issues[0];
    throw new KamalConfigError(`${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'is wrong'}`);
  }
  const config = read.data;
  const roles = listRoles(config);
  return {
    service: config.service,
    roles,
    // Where empty roles are allowed, an empty one is meant.
    rolesFromFleet: config.allow_empty_roles === true ? [] : roles.filter(({ hosts }) => hosts.length === 0).map(({ role }) => role),
    secretNames: listSecretNames(config),
    clear: new Map(Object.entries(config.env?.clear ?? {}).map(([name, value]) => [name, String(value)])),
    registry: readRegistry(config),
    registryPassword: typeof config.registry.password === 'string' ? config.registry.password : null,
    hooksPath: config.hooks_path ?? '.kamal/hooks',
    deployTimeoutSeconds: config.deploy_timeout ?? deployTimeoutDefault,
  };
};

/** Kamal's own. */
const deployTimeoutDefault = 30;

const listRoles = ({ servers, primary_role: primary }: KamalConfig): { role: string; hosts: string[] }[] => {
  const names = Object.keys(servers).toSorted();
  if (!names.includes(primary)) throw new KamalConfigError(`the primary role ${primary} is not among the servers`);
  const ordered = [primary, ...names.filter((name) => name !== primary)];
  return ordered.map((role) => {
    const { hosts, proxy } = servers[role] ?? {};
    // For the primary role only `false` means none; for the others, false and nothing (Kamal's role.rb).
    if (role === primary ? proxy !== false : Boolean(proxy)) {
      throw new KamalConfigError(`role ${role} runs behind kamal-proxy: say "proxy: false", nothing else is supported`);
    }
    return { role, hosts: (hosts ?? []).map((host) => (typeof host === 'string' ? host : (Object.keys(host)[0] ?? ''))) };
  });
};

const listSecretNames = ({ env, servers, registry, builder, ssh }: KamalConfig): string[] => {
  const envs = [env, ...Object.values(servers).map((role) => role.env)];
  const names = [
    ...[registry.username, registry.password].flatMap((value) => (typeof value === 'string' ? [] : value)),
    // `NAME:SECRET` gives the secret another name in the container.
    ...envs
      .flatMap((each) => [each, ...Object.values(each?.tags ?? {})])
      .flatMap((each) => (each?.secret ?? []).map((name) => name.split(':').at(-1) ?? name)),
    ...(builder?.secrets ?? []),
    ...(ssh?.key_data ?? []),
  ];
  const unusable = names.find((name) => !/^[A-Za-z_]\w*$/.test(name));
  // Not told: what stands there may be the secret itself.
  if (unusable !== undefined) throw new KamalConfigError('a secret is named that has no usable name (letters, digits and _)');
  return [...new Set(names)];
};

const readRegistry = ({ registry, image }: KamalConfig): KnownRegistry | null => {
  const server = registry.server ?? 'docker.io';
  // Kamal's own, which it starts beside itself (Kamal's registry.rb).
  if (/^localhost(?::|$)/.test(server)) return null;
  const { username, password } = registry;
  return {
    server,
    image,
    username: typeof username === 'string' ? username : null,
    usernameName: typeof username === 'string' ? null : username[0],
    passwordName: typeof password === 'string' ? null : password[0],
  };
};

/** A name or an address of either family; what else could be in a list becomes part of Kamal's arguments, where `*`, `[` and `,` mean something. */
const hostPattern = /^[\w:](?:[\w.:%-]{0,251}[\w:])?$/;

/** The destination's file with the fleet's hosts in the roles that have none. Everything else in it stays as it is written. */
export const fillHosts = (
  destination: Document,
  { roles, rolesFromFleet }: ConfigFacts,
  fleetHostsOf: (role: string) => readonly string[],
): ConfigFacts['roles'] => {
  const filled = roles.map(({ role, hosts }) => ({ role, hosts: rolesFromFleet.includes(role) ? [...fleetHostsOf(role)] : hosts }));
  const empty = filled.filter(({ role, hosts }) => hosts.length === 0 && rolesFromFleet.includes(role));
  if (empty.length > 0)
    throw new KamalConfigError(`no hosts for ${empty.map(({ role }) => role).join(', ')}: none in the file, and none in the fleet`);
  const unusable = filled.flatMap(({ hosts }) => hosts).find((host) => !hostPattern.test(host));
  if (unusable !== undefined) throw new KamalConfigError(`${JSON.stringify(unusable)} is no host`);
  refuseSpellings(filled.flatMap(({ hosts }) => hosts));
  for (const { role, hosts } of filled) if (rolesFromFleet.includes(role)) setHosts(destination, role, hosts);
  // Ours, whatever theirs was.
  destination.set('secrets_path', '.kamal/secrets');
  return filled;
};

/** What ssh would take for another machine than we do, and one machine that Kamal would take for two. */
const refuseSpellings = (hosts: readonly string[]): void => {
  const padded = hosts.find((host) => /^[\d.]+$/.test(host) && machineName(host) !== host);
  if (padded !== undefined)
    throw new KamalConfigError(`${padded} has leading zeros, which ssh reads as octal digits: write ${machineName(padded)}`);
  const spellings = new Map<string, string>();
  for (const host of hosts) {
    const other = spellings.get(machineName(host)) ?? host;
    if (other !== host) throw new KamalConfigError(`${other} and ${host} are one machine: write it in one way`);
    spellings.set(machineName(host), host);
  }
};

/** `::1` without quotes is a symbol to Ruby, and no host to Kamal. */
const toHostNode = (host: string): Scalar<string> => {
  const node = new Scalar(host);
  if (host.startsWith(':')) node.type = Scalar.QUOTE_DOUBLE;
  return node;
};

/** Where the file has the list, in whatever of Kamal's ways; else where it would be. */
const setHosts = (destination: Document, role: string, names: readonly string[]): void => {
  const hosts = names.map(toHostNode);
  const servers = destination.get('servers');
  if (isSeq(servers)) return destination.set('servers', hosts);
  if (!isMap(servers)) return destination.set('servers', destination.createNode({ [role]: { hosts } }));
  const own = servers.get(role);
  if (isMap(own)) own.set('hosts', destination.createNode(hosts));
  else servers.set(role, destination.createNode(isSeq(own) ? hosts : { hosts }));
};

/** ActiveSupport's deep_merge: maps are merged, everything else is replaced. */
const mergeDeep = (base: Record<string, unknown>, over: Record<string, unknown>): Record<string, unknown> => {
  const merged = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const before = merged[key];
    merged[key] = isRecord(before) && isRecord(value) ? mergeDeep(before, value) : value;
  }
  return merged;
};

const toRecord = (document: Document): Record<string, unknown> => {
  const value: unknown = toPlain(document);
  if (!isRecord(value)) throw new KamalConfigError('the configuration is no map of settings');
  return value;
};

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
