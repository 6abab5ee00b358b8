import { firstArgument, isNode, isRecord, literal, nameOf, type SourceFile, type SyntaxNode } from './source-tree';

/** Rules of the house about what stands inside of a file (names, comments, secrets, tests); one sentence for each breach. */
export const findBreaches = (files: readonly SourceFile[]): string[] =>
  files.flatMap((file) => [
    ...file.nodes.flatMap((node) => breachesOfNode(file.path, node)),
    ...breachesOfEnvironment(file),
    ...breachesOfText(file),
    ...breachesOfName(file.path),
    ...(file.path.endsWith('.test.ts') ? breachesOfTests(file) : []),
  ]);

const isUnder = (path: string, ...folders: string[]): boolean => folders.some((folder) => path.startsWith(folder));
/** What workflows are made of: themselves, and what they may import. */
const isInBundle = (path: string): boolean => isUnder(path, 'workflows/', 'src/domain/', 'src/contracts/');
const isOurs = (path: string): boolean => !isUnder(path, 'dev/', 'test/', 'bench/');

const breachesOfNode = (path: string, node: SyntaxNode): string[] => {
  switch (node.type) {
    case 'TsEnumDeclaration':
      return [`${path} declares an enum: a union of words and a Record say more`];
    case 'ExportDefaultDeclaration':
    case 'ExportDefaultExpression':
      return [`${path} has a default export`];
    case 'TsKeywordType':
      return node.kind === 'any' ? [`${path} uses any`] : [];
    case 'ImportSpecifier':
      return isInBundle(path) && nameOf(node.imported ?? node.local) === 'limits'
        ? [`${path} imports limits: a workflow's first step answers with those that it lives by, a rule gets them as an argument`]
        : [];
    case 'MemberExpression':
      return breachesOfMember(path, node);
    case 'VariableDeclarator':
      return isOurs(path) && nameOf(node.init) === 'process'
        ? [`${path} takes process apart: only src/config.ts reads the environment`]
        : [];
    case 'StringLiteral':
    case 'TemplateLiteral':
      return isOurs(path) && !isUnder(path, 'src/db/') && isSql(literal(node) ?? '')
        ? [`${path} holds SQL: "${literal(node)?.trim().slice(0, 40)}…"`]
        : [];
    default:
      return [];
  }
};

const breachesOfMember = (path: string, node: SyntaxNode): string[] => {
  const name = nameOf(node);
  if (name?.startsWith('console.') === true && !isUnder(path, 'dev/', 'bench/')) return [`${path} uses ${name}: log.ts writes`];
  return [];
};

/** `loadConfig(process.env, …)` of a process that starts is the one use of it outside of src/config.ts. */
const breachesOfEnvironment = ({ path, nodes }: SourceFile): string[] => {
  if (!isOurs(path) || path === 'src/config.ts') return [];
  const handedOver = new Set(
    nodes.filter((node) => node.type === 'CallExpression' && nameOf(node.callee) === 'loadConfig').map(firstArgument),
  );
  return nodes.filter((node) => nameOf(node) === 'process.env' && !handedOver.has(node)).map(() => `${path} reads process.env`);
};

/** In one case of letters: "Select a job from the list" is a sentence. */
const isSql = (text: string): boolean =>
  /^\s*([a-z]+|[A-Z]+)\b/.test(text) &&
  /^\s*(select\s[\s\S]+\sfrom\s|select\s+pg_|insert\s+into\s|update\s[\s\S]+\sset\s|delete\s+from\s|with\s+\w+\s+as\s*\(|(un)?listen\s+"?\w+|notify\s+\w+|(create|alter|drop)\s+(table|index|database|schema|role)\s)/i.test(
    text,
  );

/** A wish without an issue has no owner. The brackets keep this line from being one. */
const breachesOfText = ({ path, text }: SourceFile): string[] =>
  [...text.matchAll(/(?:\/\/|\*).*\b(T[O]DO|F[I]XME|H[A]CK)\b(?!\(#\d+\))/g)].map(
    (match) => `${path} has a ${match[1]} without an issue number`,
  );

const drawers = ['utils', 'util', 'helpers', 'helper', 'common', 'lib', 'manager', 'misc', 'shared'];

const breachesOfName = (path: string): string[] =>
  path.split('/').flatMap((part) => {
    const name = part.replace(/(\.test)?\.\w+$/, '');
    if (drawers.includes(name)) return [`${path} is a drawer: "${name}" says nothing about what is inside`];
    return /^[a-z0-9]+(-[a-z0-9]+)*$/.test(name) ? [] : [`${path} is not named in kebab-case`];
  });

const breachesOfTests = ({ path, nodes }: SourceFile): string[] => {
  const breaches: string[] = [];
  const seen = new Set<string>();
  for (const node of nodes) {
    if (node.type !== 'CallExpression') continue;
    const name = testFunction(node.callee);
    if (name === null || nameOf(node.callee) === null) continue;
    if (/^[fx](test|it|describe)\b|\.(only|skip|todo|failing)\b/.test(name)) breaches.push(`${path} has ${name}: every test runs`);
  }
  for (const title of listTitles(nodes[0])) {
    if (seen.has(title)) breaches.push(`${path} has two tests "${title}"`);
    seen.add(title);
  }
  return breaches;
};

/** `test`, `it.each`, `describe.only` …: the word of a call that makes tests, also of `test.each(rows)(title)`; else null. */
const testFunction = (callee: unknown): string | null => {
  const inner =
    isNode(callee) && (callee.type === 'CallExpression' || callee.type === 'TaggedTemplateExpression')
      ? (callee.callee ?? callee.tag)
      : callee;
  const name = nameOf(inner);
  return name !== null && /^[fx]?(test|it|describe)(\.\w+)*$/.test(name) ? name : null;
};

/** Every title with those of the describes around it. Rows of a table have titles of their own, where their columns are written out. */
const listTitles = (node: unknown, around: readonly string[] = []): string[] => {
  if (Array.isArray(node)) return node.flatMap((item) => listTitles(item, around));
  if (!isRecord(node)) return [];
  const name = isNode(node) && node.type === 'CallExpression' ? testFunction(node.callee) : null;
  const title = name === null || !isNode(node) ? null : literal(firstArgument(node));
  if (name === null || title === null || !isNode(node)) return Object.values(node).flatMap((field) => listTitles(field, around));
  const titles = name.endsWith('.each') ? listRows(node.callee).flatMap((row) => fillIn(title, row)) : [title];
  if (!name.includes('describe')) return titles.map((text) => [...around, text].join(' › '));
  return (titles.length > 0 ? titles : [title]).flatMap((text) => listTitles(node.arguments, [...around, text]));
};

/** The title of a row, unless a column that it names is computed. */
const fillIn = (title: string, row: readonly unknown[]): string[] => {
  const columns = row.map((column) => literal(column) ?? (isNode(column) && 'value' in column ? String(column.value) : null));
  const named = title.match(/%[a-z]/g)?.length ?? 0;
  const isComputed = columns.length < named || columns.slice(0, named).includes(null) || /\$\w/.test(title);
  if (isComputed) return [];
  return [columns.reduce<string>((text, column) => text.replace(/%[a-z]/, () => column ?? ''), title)];
};

const listRows = (callee: unknown): unknown[][] => {
  const rows: unknown = isNode(callee) && callee.type === 'CallExpression' ? firstArgument(callee) : null;
  return listItems(rows).map((row) => (isNode(row) && row.type === 'ArrayExpression' ? listItems(row) : [row]));
};

const listItems = (array: unknown): unknown[] =>
  isNode(array) && array.type === 'ArrayExpression' && Array.isArray(array.elements)
    ? array.elements.map((element) => (isRecord(element) ? element.expression : null))
    : [];
