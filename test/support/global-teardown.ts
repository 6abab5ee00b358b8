import { rm } from 'node:fs/promises';
import { started } from './started';

async function globalTeardown(): Promise<void> {
  await started.stack?.stop();
  if (started.lockFile) await rm(started.lockFile, { force: true });
}

export = globalTeardown;
