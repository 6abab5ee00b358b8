import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { flags } from '../../../dev/tools/flags.cjs';
import { projectRoot } from '../../../src/project-root';

/** A clone of which nothing is installed. */
let clone: string;
beforeAll(() => {
  clone = mkdtempSync(path.join(tmpdir(), 'yardmaster-flags-'));
  for (const file of ['bootstrap.mjs', 'flags.cjs'])
    cpSync(path.join(projectRoot(), 'dev/tools', file), path.join(clone, 'dev/tools', file));
});
afterAll(() => rmSync(clone, { recursive: true, force: true }));

const run = (...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['dev/tools/bootstrap.mjs', ...args], { cwd: clone, encoding: 'utf8' });
  return { status, stdout, stderr };
};

const programs = Object.entries(flags).map(([name, options]) => ({ name, known: Object.keys(options) }));

test.each(programs)('npm run $name -- --help names every flag, and installs nothing', ({ name, known }) => {
  const { status, stdout, stderr } = run(name, '--help');
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  for (const flag of known) expect(stdout).toContain(`--${flag}`);
  expect(readdirSync(clone)).toEqual(['dev']);
});

test.each(programs)('npm run $name refuses a flag that it does not know, and names those that it knows', ({ name, known }) => {
  const { status, stderr } = run(name, '--nope');
  expect(status).toBe(1);
  expect(stderr).toContain("Unknown option '--nope'");
  for (const flag of known) expect(stderr).toContain(`--${flag}`);
});
