import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { listSecretValues, secretLengthMin } from '../domain/secret-forms';
import { sensitive, type Sensitive } from '../domain/sensitive';
import { fillHosts, KamalConfigError, type ConfigFacts } from './config';
import { createConfigReader, listEnvironmentSecrets, type ConfigReader } from './config-reader';
import { hookFolders, writeHookWrappers } from './hooks';
import type { Kamal, KamalOptions, KamalSession, KnownDestination, Leftovers, OpenedKamal, OpenOrder } from './kamal';
import { createPrivateDirectory, listPrivateDirectories, removePrivateDirectory } from './private-directory';
import { listDestinationNames, makeKnownDestination, writeProject, type Project } from './project';
import { createRegistry, type Registry } from './registry';
import { createRunner } from './session';
import { makeSecretsFile } from './secrets';

/** A registry answers within a second; Docker's hub takes longer when it is busy. */
const registryTimeoutMs = 15_000;

export const createKamal = (options: KamalOptions): Kamal => {
  const { configDir, stateDir, killAfterMs, log } = options;
  /** Said once each: a destination is looked at every few seconds. */
  const warned = new Set<string>();
  const reader = createConfigReader(options);

  /** Whatever comes of it, the private directory goes; but for a session, which closes it itself. */
  const withDirectory = async <Result>(
    deployId: string,
    use: (dir: string) => Promise<{ result: Result; isKept: boolean }>,
  ): Promise<Result> => {
    const dir = await createPrivateDirectory(stateDir, deployId);
    let isKept = false;
    try {
      const used = await use(dir);
      ({ isKept } = used);
      return used.result;
    } finally {
      if (!isKept) await removePrivateDirectory(dir, { killAfterMs });
    }
  };

  const openIn = async (dir: string, order: OpenOrder): Promise<OpenedKamal> => {
    const { deployId, destination, skipsHooks = false } = order;
    const prepared = await prepare(options, reader, dir, order);
    if (prepared.kind === 'refused') return prepared;
    const { project, known, find } = prepared;
    const secrets = makeSecretsFile(known.secretNames, find);
    if (secrets.problems.length > 0) return refuse('secrets', secrets.problems, known);
    const hidden = [...pickHidden(secrets.values, project.facts, known), ...listEnvironmentSecrets(options.env)];
    const short = known.secretNames.filter(
      (name) => listSecretValues(find(name)?.unredacted() ?? '').whole.length === 0 && !project.facts.clear.has(name),
    );
    for (const name of short.filter((each) => !warned.has(each))) {
      warned.add(name);
      log.warn('A secret is too short to be hidden in a log', { name, lengthMin: secretLengthMin });
    }
    project.document.set('hooks_path', skipsHooks ? hookFolders.none : hookFolders.watched);
    const started = await writeProject(dir, { configDir, destination, project, secrets: secrets.content });
    if (!skipsHooks) await writeHookWrappers(started, path.resolve(configDir, project.facts.hooksPath));
    const runner = createRunner({ ...options, dir, project: started, destination: known, secrets: hidden });
    const problem = await reader.check({ project, known, secrets: secrets.content }, runner);
    if (problem !== null) return refuse('config', [problem], known);
    const session: KamalSession = {
      destination: known,
      registry: makeRegistry(project.facts, find),
      shownSecrets: short,
      redact: runner.redact,
      run: runner.run,
      async close() {
        await runner.stop();
        const { problems } = await removePrivateDirectory(dir, { killAfterMs });
        for (const left of problems) log.error('Something of Kamal is left', { deployId, problem: left });
      },
    };
    return { kind: 'opened', session };
  };

  return {
    async open(order) {
      return await withDirectory(order.deployId, async (dir) => {
        const result = await openIn(dir, order);
        return { result, isKept: result.kind === 'opened' };
      });
    },

    listDestinations: async () => await listDestinationNames(configDir),

    async readDestination(destination) {
      return await withDirectory(`look-${randomUUID()}`, async (dir) => {
        const result = await readKnown(reader, dir, destination);
        return { result, isKept: false };
      });
    },

    async endLeftovers(deployId) {
      const all: Leftovers = { endedCommands: 0, problems: [], removedDirectories: 0 };
      for (const dir of await listPrivateDirectories(stateDir, deployId)) {
        const found = await removePrivateDirectory(dir, { killAfterMs });
        all.endedCommands += found.endedCommands;
        all.problems.push(...found.problems);
        all.removedDirectories += found.removedDirectories;
      }
      return all;
    },
  };
};

const refuse = (
  check: 'config' | 'secrets',
  details: readonly string[],
  known: KnownDestination | null,
): Extract<OpenedKamal, { kind: 'refused' }> => ({
  kind: 'refused',
  problems: details.map((detail) => ({ check, detail })),
  known,
});

type Find = (name: string) => Sensitive<string> | null;
type Prepared = { kind: 'prepared'; project: Project; known: KnownDestination; find: Find } | Extract<OpenedKamal, { kind: 'refused' }>;

const prepare = async (
  { configDir, findSecret }: KamalOptions,
  reader: ConfigReader,
  dir: string,
  { destination, fleetHostsOf, isUnderWay = false }: OpenOrder,
): Promise<Prepared> => {
  let seen: KnownDestination | null = null;
  try {
    const names = await listDestinationNames(configDir);
    if (!names.includes(destination)) throw new KamalConfigError(`there is no config/deploy.${destination}.yml`);
    const project = await reader.readProject(dir, { destination, isUnderWay });
    seen = makeKnownDestination(destination, project.facts, project.facts.roles);
    // In one order: the first host carries Kamal's lock.
    const roles = fillHosts(project.document, project.facts, (role) => [...new Set(fleetHostsOf(role))].toSorted());
    const known = makeKnownDestination(destination, project.facts, roles);
    const find: Find = (name) => {
      const clear = project.facts.clear.get(name);
      return findSecret(destination, name) ?? (clear === undefined ? null : sensitive(clear));
    };
    return { kind: 'prepared', project, known, find };
  } catch (error) {
    if (error instanceof KamalConfigError) return refuse('config', [error.message], seen);
    throw error;
  }
};

const readKnown = async (reader: ConfigReader, dir: string, destination: string): Promise<KnownDestination> => {
  try {
    const { facts } = await reader.readProject(dir, { destination, isUnderWay: false });
    return makeKnownDestination(destination, facts, facts.roles);
  } catch (error) {
    if (!(error instanceof KamalConfigError)) throw error;
    const nothing = { service: '', rolesFromFleet: [], secretNames: [], registry: null, deployTimeoutSeconds: 0 };
    return { ...nothing, destination, hosts: [], problem: error.message };
  }
};

/** A "secret" that is a word of the configuration, as ATM's GH_ENVIRONMENT is the destination's name, would hide half of the log (atm §2.4). */
const pickHidden = (
  values: readonly Sensitive<string>[],
  { clear, registry, registryPassword, service }: ConfigFacts,
  { destination, hosts }: KnownDestination,
): Sensitive<string>[] => {
  const printed = new Set([service, destination, registry?.username, registry?.image, ...clear.values(), ...hosts.map(({ host }) => host)]);
  return [
    ...values.filter((value) => !printed.has(value.unredacted())),
    ...(registryPassword === null ? [] : [sensitive(registryPassword)]),
  ];
};

const makeRegistry = ({ registry, registryPassword }: ConfigFacts, find: Find): Registry | null => {
  if (registry === null) return null;
  const username = registry.usernameName === null ? registry.username : find(registry.usernameName)?.unredacted();
  const password =
    registry.passwordName === null ? (registryPassword === null ? null : sensitive(registryPassword)) : find(registry.passwordName);
  if (typeof username !== 'string' || password === null) return null;
  return createRegistry({ server: registry.server, image: registry.image, username, password, timeoutMs: registryTimeoutMs });
};
