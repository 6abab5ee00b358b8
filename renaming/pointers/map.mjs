// Brings the pointers of code that changed meanwhile to the numbers of docs/. Usage: node map.mjs <clone> [--check]
// It knows every line that the papers changed (entries.json: before → after). A line that is still as it was is replaced as a whole. One whose words changed is found by its words, in its file
// or wherever they moved; if its pointers are still the old ones they are replaced, if they are the new ones it is left alone. So it may run any number of times, before and after a merge.
// Whatever it does not know, a pointer in a new comment, it lists, with what the rules (rules.mjs) would make of an old number; those are decided by hand. --check writes nothing.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { bare, group, rules } from './rules.mjs';

const [repo, mode] = process.argv.slice(2);
const entries = JSON.parse(readFileSync(new URL('./entries.json', import.meta.url), 'utf8'));
const exact = new Map(entries.filter(({ before, after }) => before !== after).map((entry) => [entry.before, entry]));
const afters = new Set(entries.map(({ after }) => after));
/** Of papers that are not here: an audit's findings, a style guide, kamal.md and atm.md. */
const code = /(?<=[('"])(?:[HLMC]\d)(?=[):; ])|\b(?:style|Style) §|\b(?:kamal|atm)\.md\b/;
const strip = (line) => line.replace(group, ' ').replace(code, ' ');
const wordsOf = (line) => new Set(strip(line).toLowerCase().match(/[a-zà-ÿ_]{3,}/g) ?? []);
const likeness = (a, b) => {
  let both = 0;
  for (const word of a) if (b.has(word)) both++;
  return both / (a.size + b.size - both || 1);
};
const groupsOf = (line) => line.match(group) ?? [];
const prepared = entries.map((entry) => ({ ...entry, words: wordsOf(entry.before) }));
const nearest = (file, line) => {
  const words = wordsOf(line);
  let best = null;
  for (const entry of prepared) {
    const score = likeness(words, entry.words) + (entry.file === file ? 0.1 : 0);
    if (best === null || score > best.score) best = { entry, score };
  }
  return best !== null && best.score >= 0.45 ? best.entry : null;
};
/** What the papers put in the place of a code, done to a line whose other words have changed. */
const withoutCode = (line, { before, after }) => {
  let from = 0;
  while (from < before.length && before[from] === after[from]) from++;
  let end = 0;
  while (end < Math.min(before.length, after.length) - from && before.at(-1 - end) === after.at(-1 - end)) end++;
  const [was, is] = [before.slice(from, before.length - end), after.slice(from, after.length - end)];
  if (was.length < 2 || was.length > 12 || line.split(was).length !== 2) return null;
  const replaced = line.replace(was, () => is);
  return code.test(replaced) ? null : replaced;
};
const byRules = (line) =>
  groupsOf(line).map((found) => {
    let key = found.replace('.md §', ' §');
    if (key.startsWith('§')) key = bare.find(([pattern]) => pattern.test(line))?.[1] ?? key;
    const rule = rules[key];
    return typeof rule === 'string' ? rule : (rule?.find(([pattern]) => pattern === null || pattern.test(line))?.[1] ?? '?');
  });

const left = /^(docs\/|README|src\/process\/plain-text|test\/(histories|support\/pointers|unit\/pointers)|package-lock)/;
const files = execFileSync('git', ['-C', repo, 'ls-files'], { encoding: 'utf8' }).trim().split('\n').filter((file) => !left.test(file));
let changed = 0;
const asked = [];
for (const file of files) {
  const text = readFileSync(`${repo}/${file}`, 'utf8');
  const mapped = text.split('\n').map((line, index) => {
    const whole = exact.get(line);
    if (whole !== undefined) return whole.after;
    if (afters.has(line) || (groupsOf(line).length === 0 && !code.test(line))) return line;
    const entry = nearest(file, line);
    const [has, was, is] = [line, entry?.before ?? '', entry?.after ?? ''].map(groupsOf);
    const same = (one, other) => one.length > 0 && one.join('|') === other.join('|');
    if (entry !== null && same(has, is) && !code.test(line)) return line;
    if (entry !== null && same(has, was) && was.length === is.length) {
      let at = 0;
      const replaced = line.replace(group, () => is[at++]);
      if (!code.test(replaced)) return replaced;
    }
    const changedTo = entry === null ? null : withoutCode(line, entry);
    if (changedTo !== null) return changedTo;
    const known = entry === null ? '' : `\n    was: ${entry.before.trim()}\n    is:  ${entry.after.trim()}`;
    asked.push(`${file}:${index + 1}: ${line.trim()}${known}\n    by the rules, if its numbers are the old ones: ${byRules(line).join(' | ')}`);
    return line;
  });
  const result = mapped.join('\n');
  if (result === text) continue;
  changed += mapped.filter((line, index) => line !== text.split('\n')[index]).length;
  if (mode !== '--check') writeFileSync(`${repo}/${file}`, result);
}
for (const each of asked) console.log(each);
console.log(`${changed} lines ${mode === '--check' ? 'would be ' : ''}changed, ${asked.length} left to decide; then: npx jest test/unit/pointers.test.ts`);
