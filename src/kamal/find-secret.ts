import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { sensitive, type Sensitive } from '../domain/sensitive';

export type FindSecret = (destination: string, name: string) => Sensitive<string> | null;

/**
 * The destination's own file first, then the one for all, then the environment. Read each time, so that a changed secret needs no restart. Throws
 * SecretUnreadableError: what stands in a file must not be replaced by the value of another place.
 */
export const createFindSecret = ({
  dir,
  environment,
}: {
  dir: string | null;
  environment: ReadonlyMap<string, Sensitive<string>>;
}): FindSecret => {
  return (destination, name) => {
    // A name from their configuration becomes part of a path.
    if (!/^\w+$/.test(name)) return null;
    const files = dir === null ? [] : [path.join(dir, destination, name), path.join(dir, name)];
    for (const file of files) {
      const text = readIfThere(file);
      // An editor ends a file with a newline that is no part of the secret.
      if (text !== null) return sensitive(text.replace(/\r?\n$/, ''));
    }
    return environment.get(name) ?? null;
  };
};

/** It is there and cannot be read, which is a fault of the machine and none of Kamal's; the text is for a person. */
export class SecretUnreadableError extends Error {
  override readonly name = 'SecretUnreadableError';
}

const readIfThere = (file: string): string | null => {
  try {
    return statSync(file, { throwIfNoEntry: false })?.isFile() === true ? readFileSync(file, 'utf8') : null;
  } catch (error) {
    const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : error;
    throw new SecretUnreadableError(`${file} cannot be read: ${String(code)}`);
  }
};
