// survey identifiers by subword
import { execSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
const root = process.argv[2];
const files = execSync('git ls-files', { cwd: root, encoding: 'utf8' }).split('\n').filter((f) => /\.(ts|mjs|js)$/.test(f) && !f.includes('histories'));
const ids = new Map();
for (const f of files) {
  const t = readFileSync(`${root}/${f}`, 'utf8');
  // strip comments and strings crudely
  const code = t.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '').replace(/'(?:[^'\\\n]|\\.)*'/g, "''");
  for (const m of code.matchAll(/[A-Za-z_$][\w$]*/g)) {
    const e = ids.get(m[0]) ?? { n: 0, files: new Set() }; e.n++; e.files.add(f); ids.set(m[0], e);
  }
}
const sub = new Map();
for (const [id, { n, files }] of ids) for (const w of new Set(id.replace(/([a-z0-9])([A-Z])/g, '$1 $2').toLowerCase().split(/[\s_]+/))) {
  const e = sub.get(w) ?? { n: 0, ids: [] }; e.n += n; e.ids.push([id, n, files.size]); sub.set(w, e);
}
const want = process.argv.slice(3);
if (want.length) for (const w of want) { const e = sub.get(w); console.log(`## ${w}: ${e?.n ?? 0}`); for (const [id, n, f] of (e?.ids ?? []).sort((a, b) => b[1] - a[1])) console.log(`  ${id} ${n}×/${f}`); }
else console.log([...sub].sort((a, b) => b[1].n - a[1].n).map(([w, e]) => `${w}:${e.n}/${e.ids.length}`).join(' '));
