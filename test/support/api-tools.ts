import { copyFile, readFile } from 'node:fs/promises';
import path from 'node:path';
import { projectRoot } from '../../src/project-root';
import { runProgram } from '../../dev/tools/run-program';
import { keptTool } from './kept-tool';

export const apiToolsDir = (): string => path.join(projectRoot(), 'test/api-tools');
export const installWithinMs = 900_000;

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
