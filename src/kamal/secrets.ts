import type { Sensitive } from '../domain/sensitive';
import { SecretUnreadableError } from './find-secret';

/**
 * A line of Kamal's secrets file. Its reader (dotenv) expands `$NAME` and runs `$(…)`, so a value is written in single quotes, in which nothing means
 * anything; one with a single quote in it in double quotes, with everything escaped that means something there. Null: it cannot be written so that the
 * same value is read, and nothing else is read with it (checked with the real Kamal).
 */
export const makeSecretLine = (name: string, secret: Sensitive<string>): string | null => {
  const value = secret.unredacted();
  // A CR becomes LF, a NUL is no part of any environment; a backslash before the closing quote may take it for a part of the value.
  if (/[\r\0]|\\$/.test(value)) return null;
  if (!value.includes("'")) return `${name}='${value}'\n`;
  // `$(` cannot be escaped where no bracket closes it.
  if (value.includes('$(')) return null;
  return `${name}="${value.replace(/[\\"$]/g, String.raw`\$&`)}"\n`;
};

export interface SecretsFile {
  content: string;
  values: Sensitive<string>[];
  problems: string[];
}

/** All secrets that Kamal will ask for. Names that nobody has a value for are listed together. */
export const makeSecretsFile = (names: readonly string[], find: (name: string) => Sensitive<string> | null): SecretsFile => {
  const unreadable: string[] = [];
  const found = names.flatMap((name) => {
    try {
      return [{ name, value: find(name) }];
    } catch (error) {
      if (!(error instanceof SecretUnreadableError)) throw error;
      unreadable.push(error.message);
      return [];
    }
  });
  const missing = found.filter(({ value }) => value === null || value.unredacted() === '').map(({ name }) => name);
  const lines = found.map(({ name, value }) => ({ name, line: value === null ? '' : makeSecretLine(name, value) }));
  const unwritable = lines.filter(({ line }) => line === null).map(({ name }) => name);
  return {
    content: lines.map(({ line }) => line ?? '').join(''),
    values: found.flatMap(({ value }) => (value === null ? [] : [value])),
    problems: [
      ...unreadable,
      ...(missing.length === 0 ? [] : [`missing: ${missing.join(', ')}`]),
      ...(unwritable.length === 0
        ? []
        : [
            `${unwritable.join(', ')} cannot be written for Kamal: a value must have no carriage return and no NUL, must not end in a backslash, and must not have both ' and $(`,
          ]),
    ],
  };
};
