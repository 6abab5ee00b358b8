import { execFile } from 'node:child_process';

export interface ProgramOptions {
  uid?: number;
  gid?: number;
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  timeoutMs?: number;
}

/** Runs a short program to its end; its output when it succeeds, an error with its last lines when it does not. */
export async function runProgram(command: string, args: string[], options: ProgramOptions = {}): Promise<string> {
  const { timeoutMs = 120_000, ...rest } = options;
  return new Promise((resolve, reject) => {
    execFile(command, args, { ...rest, timeout: timeoutMs, maxBuffer: 64 * 1024 * 1024, encoding: 'utf8' }, (error, stdout, stderr) => {
      if (!error) {
        resolve(stdout);
        return;
      }
      const why = error.killed ? `did not end within ${timeoutMs / 1000} s` : `failed (${error.code ?? error.signal ?? 'unknown'})`;
      const lastLines = `${stdout}\n${stderr}`.trim().split('\n').slice(-6).join(' | ');
      reject(new Error(`${command} ${why}: ${lastLines || error.message}`, { cause: error }));
    });
  });
}
