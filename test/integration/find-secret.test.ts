import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { sensitive } from '../../src/domain/sensitive';
import { createFindSecret, SecretUnreadableError } from '../../src/kamal/find-secret';

let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'find-secret-'));
  await mkdir(path.join(dir, 'staging'));
  await writeFile(path.join(dir, 'staging', 'BOTH'), 'of staging\n');
  await writeFile(path.join(dir, 'BOTH'), 'of all');
  await writeFile(path.join(dir, 'PEM'), 'line 1\nline 2\r\n');
  await writeFile(path.join(dir, 'EMPTY'), '');
});
afterAll(async () => await rm(dir, { recursive: true }));

const environment = new Map([
  ['BOTH', sensitive('of the environment')],
  ['ONLY_HERE', sensitive('here')],
]);

const find = (destination: string, name: string): string | undefined =>
  createFindSecret({ dir, environment })(destination, name)?.unredacted();

test.each<[string, string, string | undefined, string]>([
  ['staging', 'BOTH', 'of staging', 'the file of the destination wins'],
  ['production', 'BOTH', 'of all', 'then the file for all destinations'],
  ['staging', 'ONLY_HERE', 'here', 'then the environment'],
  ['staging', 'NOWHERE', undefined, 'a name that nobody has is missing'],
  ['staging', 'PEM', 'line 1\nline 2', 'the newline at the end of a file is no part of it'],
  ['staging', 'EMPTY', '', 'an empty file is an empty secret'],
  ['staging', 'staging', undefined, 'a folder is no secret'],
  ['staging', '../BOTH', undefined, 'a name cannot leave the folder'],
])('of %s, %s is %j: %s', (destination, name, value, _why) => {
  expect(find(destination, name)).toBe(value);
});

test('without a folder only the environment is asked', () => {
  const findSecret = createFindSecret({ dir: null, environment: new Map([['BOTH', sensitive('here')]]) });
  expect(findSecret('staging', 'BOTH')?.unredacted()).toBe('here');
});

test('a file that is there and cannot be read is a problem, and no other place is asked instead', async () => {
  await symlink('BOTH_LOOPS', path.join(dir, 'staging', 'BOTH_LOOPS'));
  await writeFile(path.join(dir, 'BOTH_LOOPS'), 'of all');
  expect(() => find('staging', 'BOTH_LOOPS')).toThrow(SecretUnreadableError);
  expect(() => find('staging', 'BOTH_LOOPS')).toThrow(/staging\/BOTH_LOOPS cannot be read: ELOOP$/);
});

test('a secret that changes is read anew', async () => {
  await writeFile(path.join(dir, 'ROTATED'), 'old');
  expect(find('staging', 'ROTATED')).toBe('old');
  await writeFile(path.join(dir, 'ROTATED'), 'new');
  expect(find('staging', 'ROTATED')).toBe('new');
});
