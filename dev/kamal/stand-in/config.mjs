// config/deploy.yml with config/deploy.<destination>.yml over it, and the faults in them that Kamal reports.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { evaluate } from './erb.mjs';
import { KamalError } from './misbehaviour.mjs';

export async function readConfig({ world, cwd, configFile = 'config/deploy.yml', destination, version }) {
  const base = await readYaml(path.resolve(cwd, configFile), world);
  if (base.require_destination && !destination) throw new KamalError('ArgumentError', 'You must specify a destination');
  const file = destination ? path.resolve(cwd, configFile.replace(/(\.ya?ml)$/, `.${destination}$1`)) : null;
  const config = file ? merge(base, await readYaml(file, world)) : base;
  const roles = Object.entries(config.servers ?? {}).map(([name, role]) => {
    if (role === null) throw new KamalError('Kamal::ConfigurationError', `servers/${name}: should be an array or a hash`);
    const hosts = (Array.isArray(role) ? role : role?.hosts) ?? [];
    // A host with tags.
    return { name, hosts: hosts.map((host) => (isObject(host) ? Object.keys(host)[0] : host)) };
  });
  const primary = roles[0];
  if (!primary || primary.hosts.length === 0) {
    throw new KamalError('Kamal::ConfigurationError', `No servers specified for the ${primary?.name ?? 'web'} primary_role`);
  }
  const empty = roles.find(({ hosts }) => hosts.length === 0);
  if (empty && !config.allow_empty_roles) {
    const hint = 'You can ignore this with allow_empty_roles: true';
    throw new KamalError('Kamal::ConfigurationError', `No servers specified for the ${empty.name} role. ${hint}`);
  }
  return {
    cwd,
    raw: config,
    service: config.service,
    destination,
    version,
    repository: `${config.registry?.server ? `${config.registry.server}/` : ''}${config.image ?? config.service}`,
    roles,
    hosts: [...new Set(roles.flatMap(({ hosts }) => hosts))],
    primaryHost: primary.hosts[0],
    secretNames: [config.registry?.password, config.registry?.username, config.env?.secret].flatMap((names) =>
      Array.isArray(names) ? names : [],
    ),
  };
}

/** Kamal looks for each secret only when a command needs it, and takes them from its files alone. */
export function requireSecrets(config, names = config.secretNames) {
  const files = ['secrets-common', `secrets.${config.destination}`]
    .map((name) => path.resolve(config.cwd, '.kamal', name))
    .filter((file) => existsSync(file));
  const found = new Set(
    files.flatMap((file) => [...readFileSync(file, 'utf8').matchAll(/^\s*(?:export\s+)?(\w+)\s*=/gm)].map(([, name]) => name)),
  );
  const missing = names.find((name) => !found.has(name));
  if (missing === undefined) return;
  const where =
    files.length > 0
      ? ` in ${files.map((file) => path.relative(config.cwd, file)).join(', ')}`
      : `, no secret files (.kamal/secrets-common, .kamal/secrets.${config.destination}) provided`;
  throw new KamalError('Kamal::ConfigurationError', `Secret '${missing}' not found${where}`);
}

async function readYaml(file, world) {
  if (!existsSync(file)) throw new KamalError('RuntimeError', `Configuration file not found in ${file}`);
  const text = await evaluate(readFileSync(file, 'utf8'), world);
  try {
    return parse(text) ?? {};
  } catch (error) {
    throw new KamalError('Psych::SyntaxError', `(${file}): ${error.message.split('\n')[0]}`);
  }
}

const isObject = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);

function merge(base, over) {
  if (!isObject(base) || !isObject(over)) return over === undefined ? base : over;
  return Object.fromEntries(
    [...new Set([...Object.keys(base), ...Object.keys(over)])].map((key) => [key, key in over ? merge(base[key], over[key]) : base[key]]),
  );
}
