import { readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import path from 'node:path';
import { parseSync } from '@swc/core';

/** Files by their path from the root of the clone, with forward slashes. */
export type SourceTexts = ReadonlyMap<string, string>;

/** What one file takes from another: a file of ours, a package, or a part of Node. */
export interface Import {
  from: string;
  to:
    | { kind: 'file'; path: string }
    | { kind: 'package'; name: string }
    | { kind: 'node'; name: string }
    | { kind: 'missing'; specifier: string };
  isTypeOnly: boolean;
}

/** A node of swc's tree, as far as it is looked at here. */
export interface SyntaxNode {
  type: string;
  [field: string]: unknown;
}

export interface SourceFile {
  path: string;
  text: string;
  imports: Import[];
  /** Every node, parents first. */
  nodes: SyntaxNode[];
}

const isSource = (name: string): boolean => /\.(ts|tsx|mjs|cjs)$/.test(name);

/** All sources under these folders. */
export const readSources = (root: string, folders: readonly string[]): SourceTexts => {
  const texts = new Map<string, string>();
  for (const folder of folders) {
    for (const entry of readdirSync(path.join(root, folder), { recursive: true, withFileTypes: true })) {
      const file = path.join(entry.parentPath, entry.name);
      const name = path.relative(root, file).split(path.sep).join('/');
      if (entry.isFile() && isSource(entry.name) && !name.includes('node_modules/')) texts.set(name, readFileSync(file, 'utf8'));
    }
  }
  return texts;
};

export const parseSources = (texts: SourceTexts): SourceFile[] =>
  [...texts].map(([file, text]) => {
    const program: unknown = parseSync(text, { syntax: 'typescript', tsx: file.endsWith('x'), target: 'es2022' });
    const nodes = [...walk(program)];
    const imports = nodes.flatMap((node) => importsOf(node)).map((found) => resolve(file, found, texts));
    return { path: file, text, imports, nodes };
  });

/** Depth first, so that an import in a function is found as well. */
function* walk(value: unknown): Generator<SyntaxNode> {
  if (Array.isArray(value)) for (const item of value) yield* walk(item);
  else if (isRecord(value)) {
    if (isNode(value)) yield value;
    for (const field of Object.values(value)) yield* walk(field);
  }
}

interface FoundImport {
  specifier: string;
  isTypeOnly: boolean;
}

const importsOf = (node: SyntaxNode): FoundImport[] => {
  switch (node.type) {
    case 'ImportDeclaration':
    case 'ExportNamedDeclaration':
    case 'ExportAllDeclaration':
      return found(node.source, node.typeOnly === true || areAllTypes(node.specifiers));
    case 'TsImportType':
      return found(node.argument, true);
    case 'TsExternalModuleReference':
      return found(node.expression, false);
    case 'CallExpression':
      return isLoad(node.callee) ? found(firstArgument(node), false) : [];
    default:
      return [];
  }
};

const found = (source: unknown, isTypeOnly: boolean): FoundImport[] => {
  const specifier = literal(source);
  return specifier === null ? [] : [{ specifier, isTypeOnly }];
};

/** `import { type A, type B }`: nothing is loaded. `import 'x'` has no names, and is loaded for what it does. */
const areAllTypes = (specifiers: unknown): boolean =>
  Array.isArray(specifiers) &&
  specifiers.length > 0 &&
  specifiers.every((specifier) => isRecord(specifier) && specifier.isTypeOnly === true);

/** `import(…)`, `require(…)` and `require.resolve(…)`. */
const isLoad = (callee: unknown): boolean =>
  isRecord(callee) && (callee.type === 'Import' || nameOf(callee) === 'require' || nameOf(callee) === 'require.resolve');

const resolve = (from: string, { specifier, isTypeOnly }: FoundImport, texts: SourceTexts): Import => {
  if (!specifier.startsWith('.')) {
    const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
    const isNode = isBuiltin(specifier);
    return { from, isTypeOnly, to: isNode ? { kind: 'node', name: specifier.replace(/^node:/, '') } : { kind: 'package', name } };
  }
  const target = path.posix.join(path.posix.dirname(from), specifier);
  const file = [target, `${target}.ts`, `${target}.tsx`, `${target}/index.ts`].find((candidate) => texts.has(candidate));
  return { from, isTypeOnly, to: file === undefined ? { kind: 'missing', specifier } : { kind: 'file', path: file } };
};

/** `test.each` of `test.each(rows)`; null for anything but dotted names. */
export const nameOf = (node: unknown): string | null => {
  if (!isRecord(node)) return null;
  if (node.type === 'Identifier') return String(node.value);
  if (node.type !== 'MemberExpression') return null;
  const object = nameOf(node.object);
  const property = isRecord(node.property) && node.property.type === 'Computed' ? literal(node.property.expression) : nameOf(node.property);
  return object === null || property === null ? null : `${object}.${property}`;
};

export const firstArgument = (call: SyntaxNode): unknown => {
  const first: unknown = Array.isArray(call.arguments) ? call.arguments[0] : null;
  return isRecord(first) ? first.expression : null;
};

/** The text of a string, or of a template with `…` for what it inserts; null for anything else. */
export const literal = (node: unknown): string | null => {
  if (!isRecord(node)) return null;
  if (node.type === 'StringLiteral') return String(node.value);
  if (node.type !== 'TemplateLiteral' || !Array.isArray(node.quasis)) return null;
  return node.quasis.map((part) => (isRecord(part) ? String(part.cooked) : '')).join('…');
};

export const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

export const isNode = (value: unknown): value is SyntaxNode => isRecord(value) && typeof value.type === 'string';
