import { existsSync } from 'node:fs';
import path from 'node:path';
import { projectRoot } from '../../src/project-root';
import { documents, findPointers, readHeadings, readTexts } from '../support/pointers';

const texts = readTexts(projectRoot());
const headings = readHeadings(texts);

describe('a pointer', () => {
  const pointers = findPointers(texts);

  it('names its document', () => {
    expect(pointers.filter(({ document }) => document === null)).toEqual([]);
  });

  it('leads to a heading', () => {
    expect(pointers.length).toBeGreaterThan(300);
    expect(pointers.filter(({ document, section }) => document !== null && headings.get(document)?.has(section) !== true)).toEqual([]);
  });

  it.each([
    [
      'of the neighbours',
      '// Seen (ghosthands \u00a77.2), and\n * so on (atm\n * \u00a74.2), by kamal \u00a74.',
      ['ghosthands 7.2', 'atm 4.2', 'kamal 4'],
    ],
    ['without a name', '(\u00a716.3) and style \u00a712', ['null 16.3', 'null 12']],
    ['to a public standard', 'RFC 9457 \u00a73.2, WHATWG HTML \u00a79.2', []],
    [
      'to a promise',
      "(promise 3) Promise 7. test('P1 P2: a' `P3, P4: b`",
      ['promise 3', 'promise 7', 'promise 1', 'promise 2', 'promise 3', 'promise 4'],
    ],
  ])('%s is seen', (_what, text, seen) => {
    expect(findPointers(new Map([['a.ts', text]])).map(({ document, section }) => `${document} ${section}`)).toEqual(seen);
  });
});

it.each(Object.entries(documents))('%s is numbered in its order', (_name, file) => {
  const numbers = [...(texts.get(file) ?? '').matchAll(/^(##+) (\S+) /gm)].map(([, marks, number]) => `${marks} ${number}`);
  let [section, part] = [0, 0];
  const wanted = numbers.map((each) => {
    if (each.startsWith('### ')) return `### ${section}.${++part}`;
    [section, part] = [section + 1, 0];
    return `## ${section}`;
  });
  expect(numbers).toEqual(wanted);
});

it('finds every link between the documents', () => {
  const broken = [...texts]
    .filter(([file]) => file.endsWith('.md'))
    .flatMap(([file, text]) =>
      [...text.matchAll(/\]\((?!\w+:)([^)#]+)/g)]
        .map(([, link]) => path.posix.join(path.posix.dirname(file), link ?? ''))
        .map((to) => [file, to]),
    )
    .filter(([, to]) => !existsSync(path.join(projectRoot(), to ?? '')));
  expect(broken).toEqual([]);
});

const laneOf = (file: string): string =>
  file.startsWith('test/faults/') ? 'Fault' : file.startsWith('test/deploys/') ? 'Deploy' : 'Short';

describe('a promise', () => {
  const sections = (texts.get(documents['promise'] ?? '') ?? '').split(/^## /m).slice(1);
  const proofs = sections.flatMap((section) =>
    section.split(/^(?=\w+ lane:$)/m).flatMap((lane) =>
      [...lane.replaceAll(/\n {2}/g, ' ').matchAll(/^- `([^`]+)`: (.+)$/gm)].map(([, file = '', title = '']) => ({
        promise: section.slice(0, 1),
        lane: lane.slice(0, lane.indexOf(' ')),
        file,
        title,
      })),
    ),
  );

  it.each(['1', '2', '3', '4', '5', '6', '7', '8'])('%s is proven in the short lane', (promise) => {
    expect(proofs.filter((proof) => proof.promise === promise && proof.lane === 'Short')).not.toEqual([]);
  });

  it('names tests that are there, each in its lane', () => {
    expect(proofs.filter(({ file, title, lane }) => texts.get(file)?.includes(title) !== true || laneOf(file) !== lane)).toEqual([]);
  });

  it('names every file with a test of it', () => {
    const tested = findPointers(new Map([...texts].filter(([file]) => /^test\/(?!unit\/(checker|pointers)\.).*\.test\.ts$/.test(file))))
      .filter(({ document }) => document === 'promise')
      .map(({ file, section }) => `${section} ${file}`);
    const listed = new Set(proofs.map(({ promise, file }) => `${promise} ${file}`));
    expect([...new Set(tested)].filter((each) => !listed.has(each))).toEqual([]);
  });
});
