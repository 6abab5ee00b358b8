import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bundleWorkflowCode } from '@temporalio/worker';
import { dataConverter } from '../src/temporal/connection';

/** Where the compiled tree keeps the workflows' bundle: made once at the build, so that a process starts without a bundler. */
export const workflowBundlePath = join(__dirname, '..', 'workflow-bundle.js');

export const writeWorkflowBundle = async (): Promise<void> => {
  const { code } = await bundleWorkflowCode({ workflowsPath: require.resolve('../workflows'), ...dataConverter });
  await writeFile(workflowBundlePath, code);
};

if (require.main === module) void writeWorkflowBundle();
