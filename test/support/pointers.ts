import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** Where the headings are to which the name before a section sign leads. */
export const documents: Readonly<Record<string, string>> = {
  ghosthands: 'docs/neighbours/ghosthands.md',
  valet: 'docs/neighbours/valet.md',
  atm: 'docs/neighbours/atm.md',
  kamal: 'docs/neighbours/kamal.md',
  design: 'docs/design.md',
  promise: 'docs/promises.md',
};

/** One mention of a section: `document` is null where no name stands before it. */
export interface Pointer {
  file: string;
  document: string | null;
  section: string;
}

const folders = ['src', 'workflows', 'activities', 'workers', 'dev', 'test', 'bench', 'docs', 'docker', '.ci'];
const files = ['README.md', 'Dockerfile', 'docker-compose.temporal.yml', 'jest.config.js', '.env.example'];
const leftOut = /(^|\/)node_modules\/|^test\/(histories|\.artifacts)\/|package-lock\.json$/;

/** The text of everything that people read here, by its path. */
export const readTexts = (root: string): ReadonlyMap<string, string> => {
  const inFolders = folders.flatMap((folder) =>
    readdirSync(path.join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)).split(path.sep).join('/')),
  );
  const named = [...inFolders, ...files.filter((file) => existsSync(path.join(root, file)))];
  return new Map(named.filter((file) => !leftOut.test(file)).map((file) => [file, readFileSync(path.join(root, file), 'utf8')]));
};

const sign = '\u00a7';
/** A name may stand at the end of the line before, with the mark of a comment between. */
const afterName = new RegExp(`(?:(?<name>[\\w.]+)(?:\\s|\\n\\s*(?:\\*|//|--|#)\\s)\\s*)?${sign}(?<section>[\\d.]*\\d|)`, 'g');
/** Sections of public standards: RFC 9457, WHATWG HTML. */
const isStandard = (text: string, at: number): boolean => /(RFC \d{4}|HTML) $/.test(text.slice(Math.max(0, at - 12), at));

/** Every section sign, every "promise 3", and every title or message that begins with a promise's number. */
export const findPointers = (texts: ReadonlyMap<string, string>): Pointer[] =>
  [...texts].flatMap(([file, text]) => [
    ...[...text.matchAll(afterName)].flatMap(({ 0: found, index, groups }): Pointer[] => {
      if (isStandard(text, index + found.indexOf(sign))) return [];
      const name = groups?.['name'] ?? '';
      return [{ file, document: Object.hasOwn(documents, name) ? name : null, section: groups?.['section'] ?? '' }];
    }),
    ...[...text.matchAll(/\b[Pp]romises? (\d+)|\bP(\d)(?=(?:,? P\d)*: )/g)].map(([, inWords, inTitle]) => ({
      file,
      document: 'promise',
      section: inWords ?? inTitle ?? '',
    })),
  ]);

/** The numbers of the headings of each document. */
export const readHeadings = (texts: ReadonlyMap<string, string>): ReadonlyMap<string, ReadonlySet<string>> =>
  new Map(
    Object.entries(documents).map(([name, file]) => [
      name,
      new Set([...(texts.get(file) ?? '').matchAll(/^##+ (\d+(?:\.\d+)*) /gm)].map(([, number]) => number ?? '')),
    ]),
  );
