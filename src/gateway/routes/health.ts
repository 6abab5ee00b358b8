import type { RequestHandler } from 'express';
import type { Pool } from 'pg';
import { explainState, isUsable, readDatabaseState, type DatabaseState } from '../../db/database-state';
import { findFleetPause, type FleetPause } from '../../db/holds';
import { answer } from '../endpoint';
import { endpoints } from '../endpoints';
import type { GatewayDeps } from '../gateway-deps';
import { fleetAnswer } from '../job-answers';

export const createHealthRoutes = (deps: GatewayDeps): Record<'livez' | 'readyz', RequestHandler> => ({
  livez: answer(endpoints.livez, () => ({ status: 200, body: { status: 'alive' } })),

  readyz: answer(endpoints.readyz, async (_input, { log }) => {
    const [{ database, pause }, temporal] = await Promise.all([
      inTime(readDatabase(deps.pool), deps.limits.probeTimeoutMs).catch((error: unknown) => ({
        database: { kind: 'away', error } satisfies DatabaseState,
        pause: undefined,
      })),
      inTime(deps.workflows.check(), deps.limits.probeTimeoutMs).then(
        () => 'ok' as const,
        (error: unknown) => {
          log.warn('Not ready', { missing: 'temporal', error });
          return 'away' as const;
        },
      ),
    ]);
    if (database.kind !== 'writable') log.warn('Not ready', { missing: 'postgres', reason: explainState(database) });
    const isDraining = deps.isDraining();
    const isReady = database.kind === 'writable' && temporal === 'ok' && !isDraining;
    return {
      status: isReady ? 200 : 503,
      headers: { 'Cache-Control': 'no-store' },
      body: {
        status: isReady ? 'ready' : 'not_ready',
        checks: { postgres: database.kind === 'writable' ? 'ok' : database.kind, temporal },
        ...(isUsable(database) || database.kind === 'away' ? {} : { detail: explainState(database) }),
        isDraining,
        fleet: pause === undefined ? null : fleetAnswer(pause),
      },
    };
  }),
});

/** The pause is unknown where the database cannot be used. */
const readDatabase = async (pool: Pool): Promise<{ database: DatabaseState; pause: FleetPause | null | undefined }> => {
  const database = await readDatabaseState(pool);
  return { database, pause: isUsable(database) ? await findFleetPause(pool) : undefined };
};

/** A database that accepts connections and then says nothing is not ready either. */
const inTime = async <Result>(work: Promise<Result>, timeoutMs: number): Promise<Result> => {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([work, tooLate]);
  } finally {
    clearTimeout(timer);
  }
};
