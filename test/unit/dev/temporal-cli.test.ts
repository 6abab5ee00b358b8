import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { findTemporalCli } from '../../../dev/tools/temporal-cli';

let dir: string;
let printed: string[];
beforeEach(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'yardmaster-cli-'));
  printed = [];
});
afterEach(() => rm(dir, { recursive: true }));

test('takes the program that TEMPORAL_CLI names, also an old one, and says that it is old', async () => {
  const program = await programOf('named', '1.4.0');
  expect(await find({ TEMPORAL_CLI: program })).toBe(program);
  expect(printed).toEqual([expect.stringContaining('older than the tested 1.9.1')]);
});

test('refuses a TEMPORAL_CLI that does not work instead of taking another program', async () => {
  const onPath = await programOf('bin/temporal', '1.9.1');
  const missing = path.join(dir, 'missing');
  await expect(find({ TEMPORAL_CLI: missing, PATH: path.dirname(onPath) })).rejects.toThrow(
    `TEMPORAL_CLI names ${missing}, which does not work`,
  );
});

test.each(['1.9.0', '1.9.7', '1.12.0'])('takes version %s from the PATH', async (version) => {
  const program = await programOf('bin/temporal', version);
  expect(await find({ PATH: path.dirname(program) })).toBe(program);
});

test('passes over programs on the PATH that are older, of another major version, or something else', async () => {
  const folders = [
    path.dirname(await programOf('a/temporal', '1.8.9')),
    path.dirname(await programOf('b/temporal', '2.9.1')),
    path.dirname(await programOf('c/temporal', 'soon')),
  ];
  const usable = await programOf('d/temporal', '1.9.2');
  expect(await find({ PATH: [...folders, path.dirname(usable)].join(path.delimiter) })).toBe(usable);
});

test('never runs what does not have the pinned checksum, wherever it came from, and says all that it tried', async () => {
  const cached = path.join(dir, 'cache/yardmaster/temporal-1.9.1');
  await mkdir(path.dirname(cached), { recursive: true });
  await writeFile(cached, 'something else');
  const old = await programOf('bin/temporal', '1.3.0');

  const failure = find({ PATH: path.dirname(old) }, [
    { name: 'a mirror', run: () => Promise.reject(new Error('it does not answer')) },
    { name: 'another mirror', run: () => Promise.resolve(Buffer.from('not the program')) },
  ]);
  await expect(failure).rejects.toThrow(`- PATH: ${old} is 1.3.0, older than 1.9.0`);
  await expect(failure).rejects.toThrow(`- the cache (${cached}): its checksum is not the pinned one`);
  await expect(failure).rejects.toThrow('- a mirror: it does not answer');
  await expect(failure).rejects.toThrow('- another mirror: what arrived has the checksum');
  await expect(failure).rejects.toThrow('set TEMPORAL_CLI');
});

async function find(env: NodeJS.ProcessEnv, downloads: Parameters<typeof findTemporalCli>[0]['downloads'] = []): Promise<string> {
  return findTemporalCli({ say: (line) => printed.push(line), env: { XDG_CACHE_HOME: path.join(dir, 'cache'), ...env }, downloads });
}

async function programOf(name: string, version: string): Promise<string> {
  const file = path.join(dir, name);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, `#!/bin/sh\necho "temporal version ${version} (Server 1.32.0, UI 2.54.1)"\n`);
  await chmod(file, 0o755);
  return file;
}
