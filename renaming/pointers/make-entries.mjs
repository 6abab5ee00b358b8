// entries.json: every code line that the papers changed, as it was at the base and as it is. Run once, by the author: node make-entries.mjs <clone> <base> <head>
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
const [repo, base, head] = process.argv.slice(2);
const git = (...args) => execFileSync('git', ['-C', repo, ...args], { encoding: 'utf8', maxBuffer: 1 << 28 });
const names = git('diff', '--name-only', '--diff-filter=M', base, head).trim().split('\n');
const files = names.filter((file) => !/^(docs\/|README|bench\/README|src\/dev\/settings-docs|test\/unit\/config-docs)/.test(file));
const entries = [];
for (const file of files) {
  let out = [];
  let inn = [];
  let isBody = false;
  const flush = () => {
    if (out.length !== inn.length) console.log(`uneven in ${file}`, out, inn);
    out.forEach((before, index) => entries.push({ file, before, after: inn[index] }));
    [out, inn] = [[], []];
  };
  for (const line of git('diff', '-U0', base, head, '--', file).split('\n')) {
    if (line.startsWith('@@')) {
      flush();
      isBody = true;
    } else if (!isBody) continue;
    else if (line.startsWith('-')) out.push(line.slice(1));
    else if (line.startsWith('+')) inn.push(line.slice(1));
  }
  flush();
}
// Lines whose numbers stayed as they were: known, so that nobody is asked about them.
const same = git('grep', '-h', '§', head, '--', 'src', 'workflows', 'activities', 'workers', 'test', 'bench', 'docker-compose.temporal.yml', 'Dockerfile').trim().split('\n');
const known = new Set(entries.map(({ after }) => after));
for (const line of same) if (!known.has(line)) entries.push({ file: '', before: line, after: line });
writeFileSync(new URL('./entries.json', import.meta.url), JSON.stringify(entries, null, 1));
console.log(`${entries.length} lines, ${entries.filter(({ before, after }) => before !== after).length} of them changed`);
