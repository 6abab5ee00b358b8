import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { KamalEnd } from './run';

/**
 * Kamal evaluates the ERB of its two files, and prints neither the hosts of each role nor the names of secrets that come out of it (kamal §7). So it is given
 * the files with one more line, which is ERB itself and writes down what came out of all lines before.
 */

export const baseFile = 'config/deploy.yml';
export const ownFileOf = (destination: string): string => `config/deploy.${destination}.yml`;

export const hasErb = (text: string): boolean => text.includes('<%');

/** Of ERB that was evaluated, what it left as text is evaluated no second time. */
export const escapeErb = (text: string): string => text.replaceAll('<%', '<%%');

/** Named for Kamal alone: a hook or a host sees nothing of it. */
export const renderedVariable = 'YARDMASTER_RENDERED';

const withRecorder = (text: string, name: string): string =>
  `${text}\n<% File.write(File.join(ENV.fetch("${renderedVariable}"), "${name}"), _erbout) %>\n`;

export interface ProjectTexts {
  base: string;
  own: string;
}

/** Writes the two files so that Kamal writes down what it reads in them. Answers where. */
export const writeRecorded = async (
  project: string,
  { destination, texts }: { destination: string; texts: ProjectTexts },
): Promise<string> => {
  const rendered = path.join(project, 'rendered');
  await mkdir(rendered, { mode: 0o700 });
  for (const [file, name] of [
    [baseFile, 'base'],
    [ownFileOf(destination), 'own'],
  ] as const)
    await writeFile(path.join(project, file), withRecorder(texts[name], name), { mode: 0o600 });
  return rendered;
};

/** What Kamal read; null where it did not come to the end of a file. It may hold secrets, so it does not stay. */
export const takeRendered = async (rendered: string): Promise<ProjectTexts | null> => {
  const [base, own] = await Promise.all(
    ['base', 'own'].map(async (name) => await readFile(path.join(rendered, name), 'utf8').catch(() => null)),
  );
  await rm(rendered, { recursive: true, force: true });
  return typeof base === 'string' && typeof own === 'string' ? { base, own } : null;
};

/** For a person; the text of an error is theirs, so it is redacted before and bounded here. */
export const describeConfigFailure = ({ end, error }: KamalEnd, onStderr: readonly string[], timeoutMs: number): string => {
  if (end.kind === 'timed_out' || end.kind === 'silent')
    return `kamal config did not end within ${timeoutMs / 1_000} s and was ended: what its ERB (<% … %>) runs must be done by then`;
  if (end.kind === 'not_started') return `kamal config could not be started (${end.problem})`;
  const said = error === null ? (onStderr.find((line) => line.trim() !== '') ?? '') : `${error.class}: ${error.message}`;
  // Where in Ruby's own files it was noticed says nothing to anybody.
  const reason = said.replace(/^\S*\.rb:\d+:in [`'][^']*': /, '').trim();
  const hint =
    error?.class === 'KeyError' ? '; KAMAL_ENVIRONMENT names the variables that Kamal gets of the environment of the deployer' : '';
  const how = end.kind === 'exited' ? `exit code ${end.code}` : end.kind;
  return `kamal config refuses the configuration: ${reason === '' ? how : reason.slice(0, reasonCharsMax)}${hint}`;
};

const reasonCharsMax = 500;
