// node strings.mjs <clone> <base>: strings of shipped code that differ from the base, import paths apart
import { execSync } from 'node:child_process';
import { readFileSync, existsSync } from 'node:fs';
import { regionsOf } from './lexer.mjs';
import { moves, folderMoves } from './moves.mjs';
const [root, base, re = '^(src|workflows|activities|workers)/'] = process.argv.slice(2);
const files = execSync(`git ls-tree -r --name-only ${base}`, { cwd: root, encoding: 'utf8' }).split('\n').filter((f) => new RegExp(re).test(f) && /\.(ts|mjs)$/.test(f));
const strings = (t) => regionsOf(t).filter((r) => r.kind === 'string' || r.kind === 'regex').map((r) => t.slice(r.from, r.to)).filter((s) => !/^['"]\.{1,2}\//.test(s));
for (const f of files) {
  let to = moves[f] ?? f;
  for (const [a, b] of Object.entries(folderMoves)) if (to.startsWith(a + '/')) to = b + to.slice(a.length);
  if (!existsSync(`${root}/${to}`)) { console.log('gone', f); continue; }
  const a = strings(execSync(`git show ${base}:${f}`, { cwd: root, encoding: 'utf8' }));
  const b = strings(readFileSync(`${root}/${to}`, 'utf8'));
  if (a.join('\0') === b.join('\0')) continue;
  a.forEach((s, i) => { if (s !== b[i]) console.log(`${to}: ${s.replace(/\s+/g, ' ').slice(0, 150)}  →  ${(b[i] ?? '').replace(/\s+/g, ' ').slice(0, 150)}`); });
  if (a.length !== b.length) console.log(`${to}: ${a.length} strings, now ${b.length}`);
}
