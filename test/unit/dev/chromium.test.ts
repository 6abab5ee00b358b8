import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { findChromium } from '../../../dev/tools/chromium';
import { downloadChromium } from '../../../dev/tools/chromium-download';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'yardmaster-chromium-'));
});
afterEach(() => rm(dir, { recursive: true }));

const say = (): void => undefined;
const find = async (env: NodeJS.ProcessEnv, playwrightPath = path.join(dir, 'nothing')): Promise<string> =>
  await findChromium({ say, env, playwrightPath, download: () => Promise.reject(new Error('the registry does not answer')) });

test('takes the program that CHROMIUM_BIN names before any other', async () => {
  const onPath = await programOf('bin/chromium', 'Chromium 153.0');
  const named = await programOf('named', 'Google Chrome 154.0');
  expect(await find({ CHROMIUM_BIN: named, PATH: path.dirname(onPath) })).toBe(named);
});

test('refuses a CHROMIUM_BIN that does not start instead of taking another program', async () => {
  const onPath = await programOf('bin/chromium', 'Chromium 153.0');
  const env = { CHROMIUM_BIN: path.join(dir, 'missing'), PATH: path.dirname(onPath) };
  await expect(find(env)).rejects.toThrow(`CHROMIUM_BIN names ${env.CHROMIUM_BIN}, which does not work`);
});

test('passes over a wrapper on the PATH that starts no browser', async () => {
  const wrapper = await programOf('a/chromium', 'This command requires a snap');
  const browser = await programOf('b/google-chrome', 'Google Chrome 154.0');
  expect(await find({ PATH: [path.dirname(wrapper), path.dirname(browser)].join(path.delimiter) })).toBe(browser);
});

test("takes Playwright's own download where the PATH has none", async () => {
  const own = await programOf('ms-playwright/chrome', 'Chromium 153.0');
  expect(await find({ PATH: dir }, own)).toBe(own);
});

test('says what was tried and what helps where none can be had', async () => {
  const failure = find({ PATH: dir });
  await expect(failure).rejects.toThrow('could not be had: the registry does not answer');
  for (const way of ['apt-get install chromium', 'set CHROMIUM_BIN', 'npx playwright-core install chromium', "npm's registry"])
    await expect(failure).rejects.toThrow(way);
});

test('unpacks no package without the pinned integrity', async () => {
  const pack = async (): Promise<Buffer> => await Promise.resolve(Buffer.from('something else'));
  const failure = downloadChromium({ say, env: { XDG_CACHE_HOME: dir }, pack });
  const isPinnedHere = process.platform === 'linux' && process.arch === 'x64';
  await expect(failure).rejects.toThrow(isPinnedHere ? 'the integrity sha512-' : 'it has no program for');
});

async function programOf(name: string, answer: string): Promise<string> {
  const file = path.join(dir, name);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, `#!/bin/sh\necho "${answer}"\n`);
  await chmod(file, 0o755);
  return file;
}
