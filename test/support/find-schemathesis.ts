import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { runProgram } from '../../src/dev/run-program';
import { apiToolsDir, installWithinMs } from './api-tools';
import { keptTool } from './kept-tool';

/** schemathesis in a Python of its own (94 MB), or the one that SCHEMATHESIS_BIN names. Answers how it is started. */
export const findSchemathesis = async (): Promise<string[]> => {
  if (process.env.SCHEMATHESIS_BIN) return [process.env.SCHEMATHESIS_BIN];
  const requirements = path.join(apiToolsDir(), 'requirements.txt');
  const folder = await keptTool({
    name: 'schemathesis',
    pins: await readFile(requirements, 'utf8'),
    install: async (half) => {
      await runProgram('python3', ['-m', 'venv', half]).catch((error: Error) => {
        throw new Error(
          `schemathesis needs python3 with venv (Debian: apt-get install python3-venv), or SCHEMATHESIS_BIN: ${error.message}`,
          {
            cause: error,
          },
        );
      });
      const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps', '-r', requirements];
      await runProgram(path.join(half, 'bin/python'), pip, { timeoutMs: installWithinMs });
    },
  });
  // Not its own script, which names the folder that it was installed into.
  return [path.join(folder, 'bin/python'), '-c', 'from schemathesis.cli import schemathesis; schemathesis()'];
};
