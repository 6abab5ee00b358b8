import type { Pool } from 'pg';
import type { Limits } from '../contracts/limits';
import { explainState, isUsable, readDatabaseState } from './database-state';
import { findFleetPause, type FleetPause } from './fleet/holds';
import type { DbLog } from './pool';
import { inTime, shareRead } from './shared-read';
import { readLastSweepAge } from './fleet/sweep-reports';

/** What a process needs, and what it finds of it. */
export interface Readiness {
  /** It can keep what it is given. */
  isReady: boolean;
  checks: { postgres: 'ok' | 'read_only' | 'old_schema' | 'unfit_settings' | 'away' | 'unused'; temporal: 'ok' | 'away' };
  /** For a person, where Postgres is not `ok`. */
  detail: string | null;
  /** Null before the first pass, and where it cannot be read. */
  lastSweepAgeSeconds: number | null;
  /** Undefined where it cannot be read. */
  pause: FleetPause | null | undefined;
}

/** Never rejects, and checks once in a while at most, however many ask. Without a pool: of a process that needs no database. */
export const createReadiness = ({
  pool,
  checkTemporal,
  limits: { probeTimeoutMs: timeoutMs, readinessKeptMs: keptMs },
  needsTemporal,
  log,
}: {
  pool: Pool | null;
  checkTemporal: () => Promise<unknown>;
  limits: Pick<Limits, 'probeTimeoutMs' | 'readinessKeptMs'>;
  needsTemporal: boolean;
  log: DbLog;
}): (() => Promise<Readiness>) => {
  // Shared by itself: the answer below does not wait for a database that says nothing, and the next one must not ask it once more.
  const askDatabase = pool === null ? null : shareRead(async () => await readDatabase(pool), { keptMs: 0, timeoutMs });
  return shareRead(
    async () => {
      const [{ postgres, ...database }, temporal] = await Promise.all([
        askDatabase === null ? noDatabase : askDatabase().catch(databaseAway),
        inTime(checkTemporal(), timeoutMs).then(
          () => 'ok' as const,
          (error: unknown) => {
            log.warn('Temporal does not answer', { error });
            return 'away' as const;
          },
        ),
      ]);
      if (database.detail !== null) log.warn('The database is not as it should be', { found: postgres, detail: database.detail });
      const isReady = (postgres === 'ok' || postgres === 'unused') && (temporal === 'ok' || !needsTemporal);
      return { isReady, checks: { postgres, temporal }, ...database };
    },
    // Each of both has its own time already.
    { keptMs, timeoutMs: 2 * timeoutMs },
  );
};

type DatabaseFound = Omit<Readiness, 'isReady' | 'checks'> & Pick<Readiness['checks'], 'postgres'>;

const noDatabase: DatabaseFound = { postgres: 'unused', detail: null, lastSweepAgeSeconds: null, pause: undefined };

const databaseAway = (error: unknown): DatabaseFound => ({
  ...noDatabase,
  postgres: 'away',
  detail: explainState({ kind: 'away', error }),
});

/** One statement after the other: whoever asks takes one connection. */
const readDatabase = async (pool: Pool): Promise<DatabaseFound> => {
  const state = await readDatabaseState(pool);
  const postgres = state.kind === 'writable' ? 'ok' : state.kind;
  const detail = state.kind === 'writable' ? null : explainState(state);
  if (!isUsable(state)) return { ...noDatabase, postgres, detail };
  return { postgres, detail, pause: await findFleetPause(pool), lastSweepAgeSeconds: await readLastSweepAge(pool) };
};
