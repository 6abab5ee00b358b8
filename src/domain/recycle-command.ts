/** The process that is to be replaced by a fresh one, as the registry shows it. */
export interface RecycleTarget {
  host: string | null;
  workerId: string;
  instanceId: string | null;
}

const recyclePlaceholders = ['host', 'workerId', 'instanceId'] as const;
type Placeholder = (typeof recyclePlaceholders)[number];

export type RecycleCommand = { kind: 'command'; command: [string, ...string[]] } | { kind: 'refused'; problem: string };

/**
 * What may stand in an argument. The registry can be written by anybody who holds the fleet's key, so what looks like an option, a path, a port or
 * a piece of shell is refused; nothing is escaped.
 */
const patterns: Record<Placeholder, RegExp> = {
  // A name or an IPv4 address, or an IPv6 address, which alone has colons: `host:22` would choose a port.
  host: /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|(?=[^:]*:[^:]*:)[0-9A-Fa-f:]{2,39})$/,
  workerId: /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/,
  instanceId: /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/,
};

/** Puts the target into the configured command, each value inside of the one argument that names it. */
export const makeRecycleCommand = (template: readonly string[], target: RecycleTarget): RecycleCommand => {
  const problem = recyclePlaceholders
    .filter((name) => template.some((argument) => argument.includes(`{${name}}`)))
    .map((name) => problemOf(name, target[name]))
    .find((found) => found !== null);
  if (problem !== undefined) return { kind: 'refused', problem };
  const [program, ...rest] = template.map((argument) => fill(argument, target));
  return program === undefined ? { kind: 'refused', problem: 'the command is empty' } : { kind: 'command', command: [program, ...rest] };
};

const problemOf = (name: Placeholder, value: string | null): string | null => {
  if (value === null) return `the command needs {${name}}, which the registry does not say`;
  return patterns[name].test(value) ? null : `{${name}} is no plain value, so it becomes no argument`;
};

/** In one pass: a value that itself looks like a placeholder is not filled again. */
const fill = (argument: string, target: RecycleTarget): string =>
  argument.replace(/\{(host|workerId|instanceId)\}/g, (_found, name: Placeholder) => target[name] ?? '');

/** The same for the command that only looks whether recycles are possible: it is about no worker. */
export const findCheckProblem = ([program, ...rest]: readonly string[]): string | null => {
  if (program === undefined || program === '') return 'needs a program as its first argument';
  if ([program, ...rest].some((argument) => argument.includes('\0'))) return 'must not have a NUL character';
  return [program, ...rest].some((argument) => /\{(host|workerId|instanceId)\}/.test(argument))
    ? 'must have no placeholder: it is tried at the start of the deployer, for no worker'
    : null;
};

/** What is wrong with a command as it is configured; null when it can be used. */
export const findTemplateProblem = (template: readonly string[]): string | null => {
  const [program] = template;
  if (program === undefined || program === '') return 'needs a program as its first argument';
  if (/[{}]/.test(program)) return 'must name its program without a placeholder';
  if (template.some((argument) => argument.includes('\0'))) return 'must not have a NUL character';
  const names = template.flatMap((argument) => [...argument.matchAll(/\{(\w+)\}/g)].map(([, name]) => name));
  const unknown = names.find((name) => !recyclePlaceholders.some((known) => known === name));
  if (unknown !== undefined) return `has the unknown placeholder {${unknown}}`;
  // Without one it would restart the same machine whichever worker is meant.
  return names.length === 0 ? `must say with {host}, {workerId} or {instanceId} which worker is meant` : null;
};
