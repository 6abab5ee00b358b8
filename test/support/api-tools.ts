import { copyFile, readFile } from 'node:fs/promises';
import path from 'node:path';
import { projectRoot } from '../../src/dev/project-root';
import { runProgram } from '../../src/dev/run-program';
import { keptTool } from './kept-tool';

export const apiToolsDir = (): string => path.join(projectRoot(), 'test/api-tools');
const installWithinMs = 900_000;

/** spectral, openapi-typescript and openapi-fetch by their lock: 112 MB, which `npm test` does without. Answers their node_modules. */
export const findApiTools = async (): Promise<string> => {
  const lock = await readFile(path.join(apiToolsDir(), 'package-lock.json'), 'utf8');
  const folder = await keptTool({
    name: 'api-tools',
    pins: lock,
    install: async (half) => {
      for (const file of ['package.json', 'package-lock.json']) await copyFile(path.join(apiToolsDir(), file), path.join(half, file));
      await runProgram('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: half, timeoutMs: installWithinMs });
    },
  });
  return path.join(folder, 'node_modules');
};

/** schemathesis in a Python of its own (94 MB), or the one that SCHEMATHESIS_BIN names. Answers how it is started. */
export const findSchemathesis = async (): Promise<string[]> => {
  if (process.env.SCHEMATHESIS_BIN) return [process.env.SCHEMATHESIS_BIN];
  const requirements = path.join(apiToolsDir(), 'requirements.txt');
  const folder = await keptTool({
    name: 'schemathesis',
    pins: await readFile(requirements, 'utf8'),
    install: async (half) => {
      await runProgram('python3', ['-m', 'venv', half]).catch((error: Error) => {
        throw new Error(`schemathesis needs python3 with venv (Debian: apt-get install python3-venv), or SCHEMATHESIS_BIN: ${error.message}`, {
          cause: error,
        });
      });
      const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps', '-r', requirements];
      await runProgram(path.join(half, 'bin/python'), pip, { timeoutMs: installWithinMs });
    },
  });
  // Not its own script, which names the folder that it was installed into.
  return [path.join(folder, 'bin/python'), '-c', 'from schemathesis.cli import schemathesis; schemathesis()'];
};
