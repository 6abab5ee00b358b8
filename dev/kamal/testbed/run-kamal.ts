import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { DeployTestbed, KamalRun } from '../deploy-testbed';
import { runProgram } from '../../tools/run-program';

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
  await git('commit', '--quiet', '--allow-empty', '--message=testbed');
};

/** Kamal to its end, as every test bed has it. */
export const playKamal = ({
  kamalBin,
  kamalEnv,
  configDir,
  streamChild,
}: Pick<DeployTestbed, 'kamalBin' | 'kamalEnv' | 'configDir' | 'streamChild'>): Pick<DeployTestbed, 'kamal' | 'kamalWithLock'> => {
  const run = async (args: readonly string[], env: Record<string, string>): Promise<KamalRun> => {
    const chunks: Buffer[] = [];
    const end = await streamChild({
      command: [kamalBin, ...args],
      env,
      cwd: configDir,
      timeoutMs: endsWithinMs,
      killAfterMs: 2_000,
      onChunk: (_stream, chunk) => void chunks.push(chunk),
    });
    if (end.kind !== 'exited') throw new Error(`kamal ${args.join(' ')} ended with ${JSON.stringify(end)}`);
    return { code: end.code, output: Buffer.concat(chunks).toString('utf8') };
  };
  return {
    kamal: async (...args) => await run(args, kamalEnv),
    kamalWithLock: async (...args) => await run(args, { ...kamalEnv, KAMAL_LOCK: 'true' }),
  };
};
