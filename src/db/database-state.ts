import { setTimeout as delay } from 'node:timers/promises';
import type { Pool } from 'pg';
import { migrationsToCome } from './migration-files';
import { findRefusal, isDatabaseOutage } from './outage';
import type { DbLog } from './pool';
import type { Queryable } from './queryable';

/** What a process may expect of the database now. */
export type DatabaseState =
  | { kind: 'writable' }
  /** A standby, or a provider that stops writes: everything is read, nothing is accepted. */
  | { kind: 'read_only' }
  /** Somebody forgot `npm run migrate`. A newer schema is none of our business: migrations run first, and leave what runs working (docs/operators.md). */
  | { kind: 'old_schema'; missing: string[] }
  /** Our statements would mean something else in its sessions, and a pooler keeps us from setting ours. */
  | { kind: 'unfit_settings'; unfit: SessionSetting[] }
  | { kind: 'away'; error: unknown };

/** By which a process goes on: it can read what it needs. */
export const isUsable = ({ kind }: DatabaseState): boolean => kind === 'writable' || kind === 'read_only';

export interface SessionSetting {
  name: string;
  value: string;
  /** What would do. */
  wanted: string;
}

/** Never rejects, and asks on one session: a catalog, one setting after the other, and our own list of migrations. */
export const readDatabaseState = async (pool: Pool): Promise<DatabaseState> => {
  try {
    const client = await pool.connect();
    let isSpent = true;
    try {
      const [session, missing] = await Promise.all([readSession(client), listMissingMigrations(client)]);
      // A session keeps the default under which it was opened: the next reading must not be this one's.
      isSpent = session.isReadOnly;
      if (session.unfit.length > 0) return { kind: 'unfit_settings', unfit: session.unfit };
      if (missing.length > 0) return { kind: 'old_schema', missing };
      return { kind: session.isReadOnly ? 'read_only' : 'writable' };
    } finally {
      client.release(isSpent);
    }
  } catch (error) {
    return { kind: 'away', error };
  }
};

/** One sentence for a person, with the command that helps. */
export const explainState = (state: DatabaseState): string => {
  switch (state.kind) {
    case 'writable':
      return 'The database is there';
    case 'read_only':
      return 'The database takes no writes: it is a standby, or default_transaction_read_only is on';
    case 'old_schema':
      return `The schema yardmaster is older than this process: run npm run migrate (${state.missing.join(', ')} missing)`;
    case 'unfit_settings':
      return `The sessions of the database have settings under which our statements mean something else: ${state.unfit
        .map(({ name, value, wanted }) => `${name} is ${value}, run alter role … in database … set ${name} = '${wanted}'`)
        .join('; ')}`;
    case 'away':
      return `The database cannot be asked: ${state.error instanceof Error ? state.error.message : String(state.error)}`;
  }
};

/**
 * At the start of a process: waits until the database can be used, since one that is away, or whose migrations were forgotten, is no reason to end; says
 * why it waits, and which settings of the database's own are in force in our sessions. False when `stopping` came first.
 */
export const waitForDatabase = async (
  pool: Pool,
  { log, stopping, everyMs, check }: { log: DbLog; stopping: AbortSignal; everyMs: number; check?: () => Promise<unknown> },
): Promise<boolean> => {
  let warned = '';
  while (!stopping.aborted) {
    const state = await readDatabaseState(pool).then(async (read) => (isUsable(read) ? await tryCheck(read, check) : read));
    const what = explainState(state);
    if (state.kind !== 'writable' && warned !== what) log.warn(what, { database: state.kind });
    warned = what;
    if (isUsable(state)) {
      await warnOfGivenSettings(pool, log);
      return true;
    }
    await delay(everyMs, undefined, { signal: stopping }).catch(() => undefined);
  }
  return false;
};

/** What else a process wants of it. An outage in the middle of that is one more reason to wait. */
const tryCheck = async (state: DatabaseState, check?: () => Promise<unknown>): Promise<DatabaseState> => {
  try {
    await check?.();
    return state;
  } catch (error) {
    if (isDatabaseOutage(error)) return { kind: 'away', error };
    throw error;
  }
};

/** What decides how texts and instants are read and which rows a statement sees; the rest of what we set in a session (connection.ts) is harmless without us. */
const needed: Readonly<Record<string, { wanted: string; isFit: (value: string) => boolean }>> = {
  client_encoding: { wanted: 'UTF8', isFit: (value) => value === 'UTF8' },
  standard_conforming_strings: { wanted: 'on', isFit: (value) => value === 'on' },
  array_nulls: { wanted: 'on', isFit: (value) => value === 'on' },
  DateStyle: { wanted: 'ISO', isFit: (value) => value.startsWith('ISO') },
  extra_float_digits: { wanted: '1', isFit: (value) => Number(value) >= 0 },
  default_transaction_isolation: { wanted: 'read committed', isFit: (value) => value === 'read committed' },
};

const readSession = async (db: Queryable): Promise<{ isReadOnly: boolean; unfit: SessionSetting[] }> => {
  const { rows } = await db.query<{ name: string; value: string }>(
    `select name, current_setting(name) as value from unnest($1::text[]) as name`,
    [[...Object.keys(needed), 'transaction_read_only']],
  );
  const unfit = rows.flatMap(({ name, value }) => {
    const need = needed[name];
    return need === undefined || need.isFit(value) ? [] : [{ name, value, wanted: need.wanted }];
  });
  return { isReadOnly: rows.some(({ name, value }) => name === 'transaction_read_only' && value === 'on'), unfit };
};

const listMissingMigrations = async (db: Queryable): Promise<string[]> => {
  try {
    const { rows } = await db.query<{ name: string }>(`select name from yardmaster.migration`);
    return migrationsToCome(rows.map(({ name }) => name));
  } catch (error) {
    // No such schema, no such table: none has run.
    if (['3F000', '42P01'].includes(findRefusal(error)?.code ?? '')) return migrationsToCome([]);
    throw error;
  }
};

/** What the owner of the database wants of everybody, where we cannot overrule it or would rather not: it is in force, and should be known. */
const warnOfGivenSettings = async (db: Queryable, log: DbLog): Promise<void> => {
  try {
    const { rows } = await db.query<{ given: string }>(
      `select name || ' = ' || setting || coalesce(' ' || unit, '') || ', by ' || source as given from pg_settings
       where source in ('database', 'user', 'database user') and (name = any($1) or name like '%\\_timeout') order by name`,
      [
        [
          ...Object.keys(needed),
          'search_path',
          'TimeZone',
          'synchronous_commit',
          'default_transaction_read_only',
          'session_replication_role',
        ],
      ],
    );
    if (rows.length > 0) log.warn('The database has settings of its own for our sessions', { settings: rows.map(({ given }) => given) });
  } catch (error) {
    log.warn('The settings of the database could not be read', { reason: error instanceof Error ? error.message : String(error) });
  }
};
