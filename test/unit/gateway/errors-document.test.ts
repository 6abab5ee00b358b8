import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { problemCodes, problems } from '../../../src/contracts/errors';
import { makeErrorsDocument } from '../../../dev/tools/errors-document';
import { projectRoot } from '../../../src/project-root';

it('finds docs/errors.md as the catalogue says', () => {
  const file = path.join(projectRoot(), 'docs/errors.md');
  const wanted = makeErrorsDocument();
  if (process.env['UPDATE_DOCS']) writeFileSync(file, wanted);
  expect(existsSync(file) ? readFileSync(file, 'utf8') : '').toBe(wanted);
});

it('has a sentence for each error, and statuses that are errors', () => {
  expect(problemCodes.filter((code) => problems[code].status < 400 || !problems[code].meaning.endsWith('.'))).toEqual([]);
});
