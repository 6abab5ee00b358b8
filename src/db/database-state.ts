import type { Pool } from 'pg';

/** What a process may expect of the database now, in one word. */
export type DatabaseState =
  | { kind: 'writable' }
  /** A standby, or a provider that stops writes: everything is read, nothing is accepted. */
  | { kind: 'read_only' }
  | { kind: 'old_schema'; missing: string[] }
  | { kind: 'unfit_settings' }
  | { kind: 'away'; error: unknown };

/** By which a process goes on: it can read what it needs. */
export const isUsable = ({ kind }: DatabaseState): boolean => kind === 'writable' || kind === 'read_only';

/** Never rejects. */
export const readDatabaseState = async (pool: Pool): Promise<DatabaseState> => {
  try {
    const { rows } = await pool.query<{ read_only: string }>(`select current_setting('transaction_read_only') as read_only`);
    return { kind: rows[0]?.read_only === 'on' ? 'read_only' : 'writable' };
  } catch (error) {
    return { kind: 'away', error };
  }
};

/** One sentence for a person. */
export const explainState = (state: DatabaseState): string => {
  switch (state.kind) {
    case 'writable':
      return 'The database is there';
    case 'read_only':
      return 'The database takes no writes: it is a standby, or default_transaction_read_only is on';
    case 'old_schema':
      return `The schema yardmaster is older than this process: run npm run migrate (${state.missing.join(', ')} missing)`;
    case 'unfit_settings':
      return 'The sessions of the database have settings under which our statements mean something else';
    case 'away':
      return `The database cannot be asked: ${state.error instanceof Error ? state.error.message : String(state.error)}`;
  }
};
