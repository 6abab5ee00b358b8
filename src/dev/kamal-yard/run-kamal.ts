import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { KamalRun } from '../deploy-yard';
import { runProgram } from '../run-program';

const endsWithinMs = 180_000;

/** A name for `Locked by:`, and a HOME whose known_hosts nobody else uses. */
export const makeKamalEnv = ({ bin, home }: { bin: string; home: string }): Record<string, string> => ({
  PATH: `${bin}:${process.env.PATH ?? '/usr/bin:/bin'}`,
  HOME: home,
  TERM: 'dumb',
  LANG: 'C.UTF-8',
  GIT_CONFIG_NOSYSTEM: '1',
});

/** Without --version Kamal asks git for one, so there has to be a commit. */
export const prepareRepository = async (folder: string, env: Record<string, string>): Promise<void> => {
  const home = env.HOME ?? folder;
  await writeFile(path.join(home, '.gitconfig'), '[user]\n\tname = Yard\n\temail = yard@127.0.0.1\n');
  await writeFile(path.join(folder, '.gitignore'), '*\n');
  const git = async (...args: string[]): Promise<string> => await runProgram('git', args, { cwd: folder, env });
  await git('init', '--quiet', '--initial-branch=main');
  await git('commit', '--quiet', '--allow-empty', '--message=yard');
};

export const runKamal = async (
  program: string,
  args: readonly string[],
  options: { cwd: string; env: Record<string, string> },
): Promise<KamalRun> =>
  await new Promise((resolve, reject) => {
    const child = spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'], timeout: endsWithinMs });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (code === null) reject(new Error(`kamal ${args.join(' ')} ended with ${signal}`));
      else resolve({ code, output: Buffer.concat(chunks).toString('utf8') });
    });
  });
