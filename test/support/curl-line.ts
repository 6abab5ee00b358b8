import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** As a person at a shell types it, who has `env` in his environment; the status comes with the body. */
export const typeCurlLine = async (line: string, env: Record<string, string>): Promise<{ status: number; body: string }> => {
  const curl = String.raw`curl() { command curl -q -sS --max-time 90 -w '\n%{http_code}' "$@"; }`;
  const { stdout } = await promisify(execFile)('sh', ['-c', `${curl}\n${line}`], {
    env: { PATH: process.env.PATH, ...env },
    timeout: 100_000,
  });
  const lines = stdout.split('\n');
  return { status: Number(lines.pop()), body: lines.join('\n') };
};
