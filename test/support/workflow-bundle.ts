import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { bundleWorkflowCode } from '@temporalio/worker';
import { projectRoot } from '../../src/project-root';
import { dataConverter } from '../../src/temporal/connection';
import { readSources } from './source-tree';

const folder = path.join(projectRoot(), '.yardmaster');
const prefix = 'test-workflows-';
/** Longer than any run that may still read it. */
const keptForMs = 24 * 3_600_000;

/** The bundle of the workflows as their sources are now: made by the first run that needs it (global-setup.ts), read by all others. */
export const workflowBundle = async (): Promise<string> => {
  const file = path.join(folder, `${prefix}${hashOfSources()}.js`);
  if (existsSync(file)) return file;
  const { code } = await bundleWorkflowCode({
    workflowsPath: path.join(projectRoot(), 'workflows', 'index.ts'),
    logger: quiet,
    ...dataConverter,
  });
  await mkdir(folder, { recursive: true });
  await writeFile(`${file}.${process.pid}`, code);
  await rename(`${file}.${process.pid}`, file);
  await removeOld();
  return file;
};

const hashOfSources = (): string => {
  const hash = createHash('sha256').update(readFileSync(path.join(projectRoot(), 'package-lock.json')));
  for (const [name, text] of readSources(projectRoot(), ['workflows', 'src/contracts', 'src/domain'])) hash.update(`${name}\n${text}\n`);
  return hash.digest('hex').slice(0, 16);
};

const removeOld = async (): Promise<void> => {
  for (const name of await readdir(folder)) {
    const file = path.join(folder, name);
    if (name.startsWith(prefix) && Date.now() - (await stat(file)).mtimeMs > keptForMs) await rm(file, { force: true });
  }
};

const ignore = (): void => {};
const quiet = { log: ignore, trace: ignore, debug: ignore, info: ignore, warn: ignore, error: ignore };
