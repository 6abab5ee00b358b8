import { Client, type ClientConfig } from 'pg';

/**
 * What every session of ours sets at its start: a database or a role may have other defaults, and our statements mean what they mean under these.
 * As start-up options, since those are what RESET goes back to. The URL's own `options` win: whoever wrote them meant us alone.
 */
const sessionOptions: Readonly<Record<string, string>> = {
  // Whose tables are meant. The neighbours' are in `public`, ours are named with their schema.
  search_path: 'public',
  // How texts, instants, numbers and bytes come in and out.
  client_encoding: 'UTF8',
  standard_conforming_strings: 'on',
  array_nulls: 'on',
  DateStyle: 'ISO,MDY',
  IntervalStyle: 'postgres',
  TimeZone: 'UTC',
  extra_float_digits: '1',
  bytea_output: 'hex',
  // Whoever waits for a row sees it as it is afterwards; with any other level it would fail instead.
  default_transaction_isolation: 'read committed',
  default_transaction_deferrable: 'off',
  // One plan for all filters of a list reads 100,000 jobs for a page of them (22 s); whose statement is the same each time says so itself.
  plan_cache_mode: 'auto',
  // Compiling a statement takes longer than any of ours does; and the assigner's seem dear enough for it before Postgres 18, since they shun reading a table whole.
  jit: 'off',
  // A pool ends what is idle by itself, and a migration waits for another one between two statements.
  idle_session_timeout: '0',
};

/** Statements and transactions of a pool end by themselves: a lock that is never given back, or a process that stands still, must not hold the others. */
export const poolTimeouts: Readonly<Record<string, string>> = {
  statement_timeout: '60s',
  lock_timeout: '0',
  // A dry run of the sweep asks hosts within its transaction, for up to 90 s.
  idle_in_transaction_session_timeout: '120s',
};

/** How long a migration takes is nobody's business but its author's. Waiting for a lock is bounded: then it fails and says so. */
export const migrationTimeouts: Readonly<Record<string, string>> = {
  statement_timeout: '0',
  lock_timeout: '60s',
  idle_in_transaction_session_timeout: '0',
};

/**
 * A session that runs our statements, where no transaction pooler is between. One would refuse these options, or forget them; there, what a role has by
 * default is all there is, and src/db/database-state.ts checks whether that will do.
 */
export const statementSession = (
  databaseUrl: string,
  { applicationName, timeouts }: { applicationName: string; timeouts: Readonly<Record<string, string>> },
): ClientConfig => {
  const { connectionString, own } = splitOptions(databaseUrl);
  return {
    connectionString,
    application_name: applicationName,
    options: `${makeOptions({ ...sessionOptions, ...timeouts })} ${own}`,
    keepAlive: true,
  };
};

/** pg would take the URL's own options instead of both. */
const splitOptions = (databaseUrl: string): { connectionString: string; own: string } => {
  const url = new URL(databaseUrl);
  const own = url.searchParams.get('options') ?? '';
  url.searchParams.delete('options');
  return { connectionString: url.href, own };
};

/**
 * For a session that is kept for as long as its process works: a role's defaults would end it for its silence, or cut off the statement that asks whether it
 * lives, which `answerMs` bounds.
 */
export const keptSession: Readonly<Record<string, string>> = { idle_session_timeout: '0', statement_timeout: '0' };

/** A server that does not answer for so long is gone, or the way to it is; this also ends what is half dead, its other side vanished without a word. */
const answerMs = 5_000;

/** A connection for what belongs to a session: LISTEN, a lock. It runs none of our statements, and whoever makes it waits for its `end`. */
export const createSessionClient = (
  directUrl: string,
  { applicationName, options = {} }: { applicationName: string; options?: Readonly<Record<string, string>> },
): Client => {
  const { connectionString, own } = splitOptions(directUrl);
  const client = new Client({
    connectionString,
    application_name: applicationName,
    // Ours win here: what the URL says of statements would end a session that waits.
    options: `${own} ${makeOptions(options)}`.trim(),
    connectionTimeoutMillis: answerMs,
    query_timeout: answerMs,
    keepAlive: true,
  });
  // `end` follows; without a listener here the process would end.
  client.on('error', () => undefined);
  return client;
};

/** Postgres splits options at spaces. */
const makeOptions = (options: Readonly<Record<string, string>>): string =>
  Object.entries(options)
    .map(([name, value]) => `-c ${name}=${value.replaceAll(/[\\ ]/g, '\\$&')}`)
    .join(' ');
