import { readFileSync } from 'node:fs';
import path from 'node:path';
import { deployOutcomes } from '../../src/contracts/deploy';
import { sweepFindings } from '../../src/contracts/sweep';
import { workerConditions } from '../../src/db/fleet/worker-counts';
import { projectRoot } from '../../src/project-root';

const text = readFileSync(path.join(projectRoot(), 'docs/operators.md'), 'utf8');

it('explains every condition that keeps a worker from a job', () => {
  const table = /^\| condition \|[^\n]*\n([\s\S]*?)\n\n/m.exec(text)?.[1] ?? '';
  const explained = [...table.matchAll(/^\| `(\w+)` \| [^|]* \| [^|]* \|$/gm)].map(([, name]) => name ?? '');
  expect(explained.toSorted()).toEqual(workerConditions.filter((condition) => condition !== 'idle').toSorted());
});

it('says of every outcome of a deploy what runs, and what to do', () => {
  const explained = [...text.matchAll(/^\| `(\w+)` \| [^|]* \| [^|]* \|$/gm)].map(([, name]) => name ?? '');
  expect(deployOutcomes.filter((outcome) => !explained.includes(outcome))).toEqual([]);
});

it('explains every finding of the sweep in its own words', () => {
  const table = /<!-- findings:start -->([\s\S]*?)<!-- findings:end -->/.exec(text)?.[1] ?? '';
  const explained = [...table.matchAll(/^\| `(\w+)` \| ([^|]*) \|$/gm)].map(([, name, meaning]) => `${name} ${meaning}`);
  expect(explained).toEqual(Object.entries(sweepFindings).map(([name, { weight, meaning }]) => `${name} ${weight}: ${meaning}`));
});

it('leads nowhere that does not exist', () => {
  const paths = [...text.matchAll(/(?:GET|POST) `?(\/v1\/[\w/$<>-]*)/g)].map(([, found]) => found ?? '');
  const known = [
    /^\/v1\/jobs(\/\$JOB(\/callbacks\/<generation>\/<seq>\/redeliver)?)?$/,
    /^\/v1\/(pause|unpause|fleet(\/sweep|\/hosts\/<host>\/release)?|workers\/<worker>(\/release|\/recycle)?)$/,
    /^\/v1\/deploys$/,
    /^\/v1\/destinations\/<destination>\/lock\/break$/,
  ];
  expect(paths.length).toBeGreaterThan(3);
  expect(paths.filter((found) => !known.some((each) => each.test(found)))).toEqual([]);
});
