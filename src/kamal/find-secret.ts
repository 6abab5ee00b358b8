import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { sensitive, type Sensitive } from '../domain/sensitive';

export type FindSecret = (destination: string, name: string) => Sensitive<string> | null;

/** The destination's own file first, then the one for all, then the environment. Read each time, so that a changed secret needs no restart. */
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

const readIfThere = (file: string): string | null =>
  statSync(file, { throwIfNoEntry: false })?.isFile() === true ? readFileSync(file, 'utf8') : null;
