import type { Pool } from 'pg';
import type { OrchestratorDeps } from '../../activities/deps';
import { limits } from '../../src/contracts/limits';
import { createLog } from '../../src/log';

/** For activities that a test calls by themselves: a real database, and nobody else to ask. What a test needs of others it names. */
export const makeDeps = (pool: Pool, more: Partial<OrchestratorDeps> = {}): OrchestratorDeps => ({
  pool,
  limits,
  log: createLog({ level: 'error', process: 'test' }),
  observe: () => {},
  showsWorkerId: false,
  workflows: createRefusal<OrchestratorDeps['workflows']>({ wake: async () => {} }),
  hosts: createRefusal<OrchestratorDeps['hosts']>({}),
  callbacks: createRefusal<OrchestratorDeps['callbacks']>({}),
  ...more,
});

/** Every method that is not given fails the test that reaches it. */
const createRefusal = <Port extends object>(given: Partial<Port>): Port =>
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Every name is answered.
  new Proxy(given, {
    get: (target, name) =>
      Reflect.get(target, name) ?? (async () => await Promise.reject(new Error(`${String(name)} is no part of this test`))),
  }) as Port;
