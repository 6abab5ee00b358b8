import { readFileSync } from 'node:fs';
import path from 'node:path';
import { workerConditions } from '../../src/db/worker-counts';
import { projectRoot } from '../../src/dev/project-root';

const text = readFileSync(path.join(projectRoot(), 'docs/operators.md'), 'utf8');

it('explains every condition that keeps a worker from a job', () => {
  const explained = [...text.matchAll(/^\| `(\w+)` \| [^|]* \| [^|]* \|$/gm)].map(([, name]) => name ?? '');
  expect(explained.toSorted()).toEqual(workerConditions.filter((condition) => condition !== 'idle').toSorted());
});

it('leads nowhere that does not exist', () => {
  const paths = [...text.matchAll(/(?:GET|POST) `?(\/v1\/[\w/$<>-]*)/g)].map(([, found]) => found ?? '');
  const known = /^\/v1\/(jobs(\/\$JOB(\/callbacks\/<generation>\/<seq>\/redeliver)?)?|pause|unpause)$/;
  expect(paths.length).toBeGreaterThan(3);
  expect(paths.filter((found) => !known.test(found))).toEqual([]);
});
