import { mkdtemp } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { type KamalYard, type KamalYardOptions, startKamalYard } from '../../src/dev/kamal-yard/kamal-yard';
import { withDatabase } from './database';

/** Hosts, registry and Kamal for the tests of a file, all of them real, and the database of the workers that run in the containers. */
export const withKamalYard = (options: Omit<KamalYardOptions, 'dir' | 'databaseUrl'> & { versions?: readonly string[] } = {}) => {
  const database = withDatabase();
  let yard: KamalYard | undefined;
  beforeAll(async () => {
    // Within a socket's path, and not in the project, which the containers see.
    const dir = await mkdtemp(path.join(os.tmpdir(), 'kamal-yard-'));
    yard = await startKamalYard({ ...options, dir, databaseUrl: database.databaseUrl });
    for (const version of options.versions ?? ['v1', 'v2']) await yard.push(version);
  });
  afterAll(async () => {
    await yard?.stop();
  });
  return {
    get pool() {
      return database.pool;
    },
    get yard() {
      return yard as KamalYard;
    },
  };
};
