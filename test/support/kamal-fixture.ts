import { mkdtemp } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { type KamalTestbed, type KamalTestbedOptions, startKamalTestbed } from '../../dev/kamal/testbed/kamal-testbed';
import { withDatabase } from './database';

/** Hosts, registry and Kamal for the tests of a file, all of them real, and the database of the workers that run in the containers. */
export const withKamalFixture = (options: Omit<KamalTestbedOptions, 'dir' | 'databaseUrl'> & { versions?: readonly string[] } = {}) => {
  const database = withDatabase();
  let testbed: KamalTestbed | undefined;
  beforeAll(async () => {
    // Within a socket's path, and not in the project, which the containers see.
    const dir = await mkdtemp(path.join(os.tmpdir(), 'testbed-'));
    testbed = await startKamalTestbed({ ...options, dir, databaseUrl: database.databaseUrl });
    for (const version of options.versions ?? ['v1', 'v2']) await testbed.push(version);
  });
  afterAll(async () => {
    await testbed?.stop();
  });
  return {
    get pool() {
      return database.pool;
    },
    get testbed() {
      return testbed as KamalTestbed;
    },
  };
};
