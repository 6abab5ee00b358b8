import { createHash } from 'node:crypto';
import { isSuccess } from '../domain/child-end';
import { isSecretField } from '../domain/redact';
import { sensitive, type Sensitive } from '../domain/sensitive';
import { config } from './commands';
import { KamalConfigError } from './config';
import { describeConfigFailure, hasErb, renderedVariable, takeRendered, writeRecorded, type ProjectTexts } from './erb';
import type { KamalOptions, KnownDestination } from './kamal';
import { parseConfig } from './output';
import { parseProject, readTexts, writeUnread, type Project } from './project';
import type { KamalEnd } from './run';
import { createRunner } from './session';

type Runner = ReturnType<typeof createRunner>;

export interface ConfigReader {
  /** Their two files, their ERB evaluated by Kamal. Throws KamalConfigError. */
  readProject(dir: string, order: { destination: string; isUnderWay: boolean }): Promise<Project>;
  /** Does Kamal read the configuration that was written for it, and the same hosts in it as we? Why not; null: it does. */
  check(read: { project: Project; known: KnownDestination; secrets: string }, runner: Runner): Promise<string | null>;
}

/** Has Kamal say what the configuration is, and remembers it for as long as the files are as they were. */
export const createConfigReader = (options: KamalOptions): ConfigReader => {
  const { configDir, configTimeoutMs, configFreshMs } = options;
  /** Of each destination, what its files came to. */
  const rendered = new Map<string, { key: string; texts: ProjectTexts; at: number }>();
  /** Of each destination, what Kamal has found right. */
  const checked = new Map<string, string>();

  /** What it prints may hold secrets, such as `ssh.key_data`: it is read here, redacted, and goes nowhere. */
  const ask = async (runner: Runner): Promise<{ ended: KamalEnd; onStderr: string[] }> => {
    const onStderr: string[] = [];
    const ended = await runner.run(config(), {
      onLine: ({ stream, line }) => void (stream === 'stderr' && onStderr.length < stderrLinesMax && onStderr.push(line)),
      signal: new AbortController().signal,
      timeoutMs: configTimeoutMs,
      silentMs: configTimeoutMs,
    });
    return { ended, onStderr };
  };

  const evaluate = async (dir: string, destination: string, texts: ProjectTexts): Promise<ProjectTexts> => {
    const project = await writeUnread(dir, { configDir, destination });
    const folder = await writeRecorded(project, { destination, texts });
    const runner = createRunner({
      ...options,
      dir,
      project,
      destination: { destination, hosts: [] },
      secrets: [...listNamedSecrets(options, destination, texts), ...listEnvironmentSecrets(options.env)],
      variables: { [renderedVariable]: folder },
    });
    const { ended, onStderr } = await ask(runner);
    const read = await takeRendered(folder);
    // Where both were read, what is wrong with them is said when their hosts and secrets are in their place.
    if (read === null) throw new KamalConfigError(describeConfigFailure(ended, onStderr, configTimeoutMs));
    return read;
  };

  return {
    async readProject(dir, { destination, isUnderWay }) {
      const texts = await readTexts(configDir, destination);
      if (!hasErb(texts.base) && !hasErb(texts.own)) return parseProject(texts, destination);
      const key = hashOf([texts.base, texts.own]);
      const known = rendered.get(destination);
      const isGood = known?.key === key && (isUnderWay || performance.now() - known.at < configFreshMs);
      if (known !== undefined && isGood) return parseProject(known.texts, destination);
      const read = await evaluate(dir, destination, texts);
      rendered.set(destination, { key, texts: read, at: performance.now() });
      return parseProject(read, destination);
    },

    async check({ project, known, secrets }, runner) {
      const { destination } = known;
      const key = hashOf([project.base, project.document.toString(), secrets]);
      if (checked.get(destination) === key) return null;
      const { ended, onStderr } = await ask(runner);
      if (!isSuccess(ended)) return describeConfigFailure(ended, onStderr, configTimeoutMs);
      const problem = findDifference(known, ended.output);
      if (problem === null) checked.set(destination, key);
      return problem;
    },
  };
};

/** The first lines say what is wrong, the others where in Ruby it was found. */
const stderrLinesMax = 20;

/** Nothing is deployed to hosts that only one of us sees. */
const findDifference = ({ hosts }: KnownDestination, output: string): string | null => {
  const kamals = parseConfig(output);
  if (kamals === null) return 'kamal config prints no hosts that could be understood';
  const ours = hosts.map(({ host }) => host);
  const isSame = kamals.primaryHost === ours[0] && kamals.hosts.toSorted().join() === ours.toSorted().join();
  return isSame ? null : `Kamal reads the hosts ${kamals.hosts.join(', ')} in it, and we read ${ours.join(', ')}`;
};

const hashOf = (parts: readonly string[]): string => createHash('sha256').update(JSON.stringify(parts)).digest('hex');

/** Before it is known which secrets the files name: any word in them may be one. What cannot be read is said when it is asked for. */
const listNamedSecrets = ({ findSecret }: KamalOptions, destination: string, { base, own }: ProjectTexts): Sensitive<string>[] =>
  [...new Set(`${base}\n${own}`.match(/\b[A-Za-z_]\w{2,}\b/g))].flatMap((name) => {
    try {
      return findSecret(destination, name) ?? [];
    } catch {
      return [];
    }
  });

/** Of the environment that Kamal gets, their ERB and their hooks with it, what is a secret by its name. */
export const listEnvironmentSecrets = (env: Readonly<Record<string, string>>): Sensitive<string>[] =>
  Object.entries(env).flatMap(([name, value]) => (isSecretField(name) ? [sensitive(value)] : []));
