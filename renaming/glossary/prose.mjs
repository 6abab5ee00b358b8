// node prose.mjs <clone> <kinds: comment,string,text> <regex> [file regex]
import { execSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { regionsOf } from './lexer.mjs';
const [root, kinds, re, fre] = process.argv.slice(2);
const files = execSync('git ls-files', { cwd: root, encoding: 'utf8' }).split('\n').filter((f) => /\.(ts|mjs|js|md|sh)$/.test(f) && !f.includes('histories') && !f.includes('package-lock') && (!fre || new RegExp(fre).test(f)));
const want = new Set(kinds.split(','));
for (const f of files) {
  let t; try { t = readFileSync(`${root}/${f}`, 'utf8'); } catch { continue; }
  const regions = /\.(ts|mjs|js)$/.test(f) ? regionsOf(t) : [{ kind: 'text', from: 0, to: t.length }];
  for (const r of regions) {
    if (!want.has(r.kind)) continue;
    const part = t.slice(r.from, r.to);
    let base = t.slice(0, r.from).split('\n').length;
    part.split('\n').forEach((line, i) => { if (new RegExp(re, 'i').test(line)) console.log(`${f}:${base + i}: ${line.trim().slice(0, 210)}`); });
  }
}
