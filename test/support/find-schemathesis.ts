import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { runProgram } from '../../dev/tools/run-program';
import { apiToolsDir, installWithinMs } from './api-tools';
import { keptTool } from './kept-tool';

/** Whoever can put packages into a folder: a machine may have Python without pip, and uv for it. */
const installers = [
  ['python3', '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check'],
  ['uv', 'pip', 'install', '--quiet', '--python', 'python3'],
];

/** The packages of schemathesis in a folder of their own (94 MB): what PYTHONPATH has to name. */
export const findSchemathesis = async (): Promise<string> => {
  const requirements = path.join(apiToolsDir(), 'requirements.txt');
  return await keptTool({
    name: 'schemathesis',
    // Some of the packages are compiled for one Python.
    pins: `${await runProgram('python3', ['--version'])}${await readFile(requirements, 'utf8')}`,
    async install(half) {
      const refusals: Error[] = [];
      for (const [program = '', ...args] of installers) {
        const refusal = await runProgram(program, [...args, '--no-deps', '--target', half, '-r', requirements], {
          timeoutMs: installWithinMs,
        }).then(
          () => null,
          (error: Error) => error,
        );
        if (refusal === null) return;
        refusals.push(refusal);
      }
      throw new AggregateError(
        refusals,
        `schemathesis needs python3 with pip, or uv (Debian: apt-get install python3-pip): ${refusals.map(({ message }) => message).join('; ')}`,
      );
    },
  });
};
