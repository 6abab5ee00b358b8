#!/usr/bin/env node
/**
 * Brings the code's own words to the field's in a clone of Yardmaster.
 *
 *   node run.mjs <clone> [--check] [--verbose] [--until files|names]
 *
 * Moves files (git mv), rewrites import specifiers and paths that texts mention, renames identifiers, then phrases in comments, titles and documents, and
 * formats what it changed. A second run changes nothing. `--check` writes nothing and ends with 1 when there is something to do. What it could not
 * decide is listed at the end: rules whose place has changed, names that are taken, and words of the old kind that no rule knows.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { regionsOf } from './lexer.mjs';
import { moves, folderMoves } from './moves.mjs';
import { names } from './names.mjs';
import { scoped } from './scoped.mjs';
import { edits } from './edits.mjs';
import { phrases } from './phrases.mjs';
import { keeps, keptPhrases, suspectPhrases, suspects } from './keeps.mjs';

const [clone, ...flags] = process.argv.slice(2);
if (!clone) throw new Error('node run.mjs <clone> [--check] [--verbose]');
const isCheck = flags.includes('--check');
const isVerbose = flags.includes('--verbose');
const until = flags.includes('--until') ? flags[flags.indexOf('--until') + 1] : 'all';
const doesNames = until !== 'files';
const doesPhrases = until === 'all';
const git = (...args) => execFileSync('git', args, { cwd: clone, encoding: 'utf8', maxBuffer: 1 << 28 });

const isLeftAlone = (file) =>
  /^test\/histories\/|package-lock\.json$|^src\/db\/migrations\/|^src\/db\/schema\.sql$|(^|\/)node_modules\//.test(file);
const isCode = (file) => /\.(ts|tsx|mjs|js)$/.test(file);
const isText = (file) => isCode(file) || /\.(md|sh|json|yml|yaml|sql)$|(^|\/)(Dockerfile|run|\.env\.example|\.\w+rc\.json|README)$/.test(file);

const undecided = [];
const listed = [...new Set(git('ls-files', '--cached', '--others', '--exclude-standard').split('\n').filter(Boolean))].filter((file) =>
  existsSync(path.join(clone, file)),
);
const present = new Set(listed);

// 1 Files.
const newOf = new Map(Object.entries(moves));
for (const [from, to] of Object.entries(folderMoves))
  for (const file of listed) if (file.startsWith(`${from}/`) && !newOf.has(file)) newOf.set(file, `${to}${file.slice(from.length)}`);
const toMove = [];
for (const [from, to] of newOf) {
  if (!present.has(from)) continue;
  if (present.has(to)) undecided.push(`${from} is to become ${to}, which is there already`);
  else toMove.push([from, to]);
}
const movedTo = new Map(toMove);
const texts = new Map();
const oldPathOf = new Map([...newOf].map(([from, to]) => [to, from]));
for (const file of listed) {
  if (isLeftAlone(file) || !isText(file)) continue;
  texts.set(movedTo.get(file) ?? file, readFileSync(path.join(clone, file), 'utf8'));
}
const originals = new Map(texts);

const mapRegions = (file, text, change) => {
  if (!isCode(file)) return change('text', text);
  return regionsOf(text)
    .map(({ kind, from, to }) => change(kind, text.slice(from, to), text[from - 1] ?? ''))
    .join('');
};

// 2 Import specifiers.
const endings = ['', '.ts', '.tsx', '.mjs', '.js', '/index.ts'];
const rewriteSpecifier = (file, specifier) => {
  const oldFile = oldPathOf.get(file) ?? file;
  for (const base of new Set([file, oldFile])) {
    const target = path.posix.join(path.posix.dirname(base), specifier);
    for (const ending of endings) {
      const to = newOf.get(target + ending);
      if (to === undefined) continue;
      const bare = ending === '' ? to : to.slice(0, to.length - ending.length);
      const relative = path.posix.relative(path.posix.dirname(file), bare);
      return relative.startsWith('.') ? relative : `./${relative}`;
    }
  }
  return specifier;
};
for (const [file, text] of texts) {
  if (!isCode(file)) continue;
  texts.set(
    file,
    mapRegions(file, text, (kind, part) =>
      kind === 'string' && /^['"]\.\.?\/[\w./-]+['"]$/.test(part) ? `${part[0]}${rewriteSpecifier(file, part.slice(1, -1))}${part[0]}` : part,
    ),
  );
}

// 3 Paths that a text names: whole, from any folder on, with and without their ending, and as the build has them.
const mentions = new Map();
const basenames = new Map();
for (const [from] of newOf) basenames.set(path.basename(from), (basenames.get(path.basename(from)) ?? 0) + 1);
for (const file of listed) if (!newOf.has(file)) basenames.set(path.basename(file), (basenames.get(path.basename(file)) ?? 0) + 1);
for (const [from, to] of newOf) {
  const fromParts = from.split('/');
  const toParts = to.split('/');
  for (let depth = 0; depth < fromParts.length - 1; depth++) {
    const [a, b] = [fromParts.slice(depth).join('/'), toParts.slice(depth).join('/')];
    if (a === b) continue;
    mentions.set(a, b);
    if (from.endsWith('.ts')) {
      mentions.set(a.replace(/\.ts$/, '.js'), b.replace(/\.ts$/, '.js'));
      if (depth < fromParts.length - 2) mentions.set(a.replace(/(\.test)?\.ts$/, ''), b.replace(/(\.test)?\.ts$/, ''));
    }
  }
  if (basenames.get(path.basename(from)) === 1 && path.basename(from) !== path.basename(to) && path.basename(from).includes('-'))
    mentions.set(path.basename(from), path.basename(to));
}
for (const [from, to] of Object.entries(folderMoves)) mentions.set(from, to);
const escape = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
const mentionPattern = new RegExp(
  `(?<![\\w-])(?:${[...mentions.keys()]
    .toSorted((a, b) => b.length - a.length)
    .map(escape)
    .join('|')})(?![\\w-])`,
  'g',
);
for (const [file, text] of texts) texts.set(file, text.replace(mentionPattern, (found) => mentions.get(found)));

// 4 Names that mean one thing everywhere: in code, strings and comments alike.
const owned = new Map(Object.entries(names));
const anyName = [...owned.keys()].map(escape).join('|');
const inCode = new RegExp(`(?<![\\w$])(?:${anyName})(?![\\w$])`, 'g');
// A shell writes $NAME.
const inText = new RegExp(`(?<!\\w)(?:${anyName})(?!\\w)`, 'g');
const isTaken = (name, text) => new RegExp(`(?<![\\w$.'"-])${escape(name)}(?![\\w$'"-])`).test(text);
const used = new Set();
for (const [file, text] of doesNames ? texts : []) {
  const namePattern = isCode(file) ? inCode : inText;
  const found = new Set(text.match(namePattern) ?? []);
  if (found.size === 0) continue;
  if (isCode(file)) {
    const code = codeOf(file, text);
    for (const name of found) if (isTaken(name, code) && isTaken(owned.get(name), code)) undecided.push(`${file}: ${name} → ${owned.get(name)}, which the file has already`);
  }
  for (const name of found) used.add(name);
  texts.set(file, text.replace(namePattern, (name) => owned.get(name)));
}
function codeOf(file, text) {
  return regionsOf(text)
    .filter(({ kind }) => kind === 'code')
    .map(({ from, to }) => text.slice(from, to))
    .join('');
}

// 5 Names that mean this in some files only: in code alone.
const matches = (file, patterns) =>
  patterns.some((pattern) => (pattern instanceof RegExp ? pattern.test(file) : pattern.endsWith('/') ? file.startsWith(pattern) : file === pattern));
for (const { files, not = [], when, names: own, allowTaken = [] } of doesNames ? scoped : []) {
  const table = new Map(Object.entries(own));
  const pattern = new RegExp(`(?<![\\w$])(?:${[...table.keys()].map(escape).join('|')})(?![\\w$])`, 'g');
  for (const [file, text] of texts) {
    if (!isCode(file) || !matches(file, files) || matches(file, not)) continue;
    if (when !== undefined && !when.test(originals.get(file) ?? text)) continue;
    const code = codeOf(file, text);
    for (const name of new Set(code.match(pattern) ?? []))
      if (isTaken(table.get(name), code) && !allowTaken.includes(name)) undecided.push(`${file}: ${name} → ${table.get(name)}, which the file has already`);
    texts.set(file, mapRegions(file, text, (kind, part) => (kind === 'code' ? part.replace(pattern, (name) => table.get(name)) : part)));
  }
}

// 6 Single places, as they read after all that.
const replaceOnce = (text, from, to) =>
  to.includes(from)
    ? text
        .split(to)
        .map((part) => part.replaceAll(from, to))
        .join(to)
    : text.replaceAll(from, to);
for (const [file, list] of doesPhrases ? Object.entries(edits) : doesNames ? Object.entries(edits).filter(([file]) => isCode(file)) : []) {
  const text = texts.get(file);
  if (text === undefined) {
    undecided.push(`${file} is not there, and has ${list.length} edits`);
    continue;
  }
  let now = text;
  for (const [from, to] of list) {
    const next = replaceOnce(now, from, to);
    if (next === now && !(to === '' ? true : now.includes(to))) undecided.push(`${file}: not found: ${JSON.stringify(from).slice(0, 160)}`);
    now = next;
  }
  texts.set(file, now);
}

// 7 Phrases: in comments and documents, in strings of tests, or wherever a rule says.
const phraseUses = new Map();
for (const [index, { files, not = [], in: kinds = ['comment', 'text'], from, to }] of doesPhrases ? phrases.entries() : []) {
  const pattern = from instanceof RegExp ? from : new RegExp(escape(from).replaceAll('\\ ', ' '), 'g');
  for (const [file, text] of texts) {
    if (files !== undefined && !matches(file, files)) continue;
    if (matches(file, not) || (from instanceof RegExp ? text.search(from) < 0 : !text.includes(from))) continue;
    const now = mapRegions(file, text, (kind, part) => (kinds.includes(kind) ? part.replace(pattern, to) : part));
    if (now !== text) phraseUses.set(index, (phraseUses.get(index) ?? 0) + 1);
    texts.set(file, now);
  }
}

// 8 Imports that were in order stay so.
const importsOf = (text) => [...text.matchAll(/^(import|export)( type)? \{([^{}]*)\} from /gm)];
const entriesOf = (list) => list.split(',').map((each) => each.trim()).filter(Boolean);
const bare = (entry) => entry.replace(/^type /, '');
const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
const fold = (a, b) => compare(bare(a).toLowerCase(), bare(b).toLowerCase());
const orders = [
  (a, b) => Number(a.startsWith('type ')) - Number(b.startsWith('type ')) || fold(a, b),
  (a, b) => Number(a.startsWith('type ')) - Number(b.startsWith('type ')) || compare(bare(a), bare(b)),
  fold,
  (a, b) => compare(bare(a), bare(b)),
];
const isSorted = (list, order) => list.every((each, index) => index === 0 || order(list[index - 1], each) <= 0);
for (const [file, text] of texts) {
  const before = importsOf(originals.get(file) ?? '');
  const after = importsOf(text);
  if (!isCode(file) || before.length !== after.length) continue;
  let sorted = text;
  for (const [index, { 0: whole, 3: list }] of after.entries()) {
    const [old, now] = [entriesOf(before[index][3]), entriesOf(list)];
    if (old.length < 2 || old.join() === now.join() || /\/\//.test(list)) continue;
    const order = orders.find((each) => isSorted(old, each));
    if (order !== undefined && !isSorted(now, order)) sorted = sorted.replace(whole, () => whole.replace(list, () => ` ${now.toSorted(order).join(', ')} `));
  }
  texts.set(file, sorted);
}

// 9 What is left of the old kind.
for (const [file, text] of doesPhrases ? texts : []) {
  if (!isCode(file)) continue;
  const found = new Map();
  for (const { kind, from, to } of regionsOf(text)) {
    if (kind === 'comment') {
      for (const line of text.slice(from, to).split('\n'))
        if (suspectPhrases.some((pattern) => pattern.test(line)) && !keptPhrases.some((each) => line.includes(each))) undecided.push(`${file}: comment: ${line.trim().slice(0, 140)}`);
      continue;
    }
    if (kind !== 'code') continue;
    for (const [name] of text.slice(from, to).matchAll(/[A-Za-z_$][\w$]*/g)) {
      if (keeps.has(name)) continue;
      if (suspects.some((pattern) => pattern.test(name))) found.set(name, (found.get(name) ?? 0) + 1);
    }
  }
  for (const [name, count] of found) undecided.push(`${file}: ${name} (${count}×) has a word that no rule knows`);
}
for (const file of new Set([...listed.map((each) => movedTo.get(each) ?? each)]))
  if (isText(file) && !isLeftAlone(file) && /(^|[/-])(yards?|looks?|tell|told|said|loose|desk|ground|words?|neglected|placed)([-./]|$)/.test(file) && !file.startsWith('docs/') && file !== 'workflows/look-at-destination.ts')
    undecided.push(`${file}: its name has a word that no rule knows`);

// 10 Write.
const changed = [...texts].filter(([file, text]) => text !== originals.get(file)).map(([file]) => file);
console.log(`${toMove.length} files to move, ${changed.length} files to change`);
if (isVerbose) {
  for (const name of owned.keys()) if (!used.has(name)) console.log(`  unused name: ${name}`);
  phrases.forEach(({ from }, index) => {
    if (!phraseUses.has(index)) console.log(`  unused phrase: ${from}`);
  });
}
if (!isCheck) {
  for (const [from, to] of toMove) {
    mkdirSync(path.join(clone, path.dirname(to)), { recursive: true });
    git('mv', from, to);
  }
  for (const file of changed) writeFileSync(path.join(clone, file), texts.get(file));
  const formatted = changed.filter((file) => isCode(file));
  if (formatted.length > 0) {
    const prettier = path.join(clone, 'node_modules/.bin/prettier');
    if (existsSync(prettier)) execFileSync(prettier, ['--write', '--log-level', 'warn', ...formatted], { cwd: clone, stdio: 'inherit' });
    else undecided.push('node_modules/.bin/prettier is not there: run npm run format');
  }
}
if (undecided.length > 0) console.log(`\nUndecided (${undecided.length}):\n${undecided.map((each) => `  ${each}`).join('\n')}`);
if (isCheck && toMove.length + changed.length > 0) process.exitCode = 1;
