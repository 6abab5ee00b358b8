import { readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { projectRoot } from '../project-root';

/** Read and not imported: the compiler would put a second package.json beside the compiled files, where the root of the project is looked for. */
export const { version } = z
  .object({ version: z.string() })
  .parse(JSON.parse(readFileSync(path.join(projectRoot(), 'package.json'), 'utf8')));
