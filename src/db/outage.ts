/**
 * SQLSTATEs, or their beginnings, of a database that cannot do it now and can do it later: the connection lost or refused, resources exhausted, shutting
 * down, the machine's disk; no writes (a standby, a full disk at a provider); a time-out of a statement, a lock or a transaction; races that end well
 * when repeated.
 */
const outageCodes = ['08', '53', '57P', '58', '25006', '57014', '55P03', '25P03', '25P04', '40'];

/** What pg throws without any code when the connection goes, or none is to be had. */
const codelessMessages = [
  /^timeout exceeded when trying to connect/,
  /^Connection terminated/,
  /^Client has encountered a connection error/,
  /^Client was closed/,
  /^Query read timeout/,
  /^timeout expired/,
  /^Cannot use a pool after calling end/,
];

/** Of a socket that broke while nothing was asked of the system. */
const socketCodes: ReadonlySet<string> = new Set(['EPIPE', 'ECONNRESET', 'ETIMEDOUT']);

/** Did Postgres not answer, rather than answer that the statement is wrong? Then the same request succeeds later. */
export const isDatabaseOutage = (error: unknown): boolean => {
  if (typeof error !== 'object' || error === null) return false;
  // Every address of a name that was tried has an error of its own.
  const errors = field(error, 'errors');
  if (Array.isArray(errors)) return errors.some(isDatabaseOutage);
  const [code, message] = [field(error, 'code'), field(error, 'message')];
  if (typeof code === 'string')
    return 'syscall' in error || socketCodes.has(code) || (isSqlState(code) && outageCodes.some((start) => code.startsWith(start)));
  return typeof message === 'string' && codelessMessages.some((pattern) => pattern.test(message));
};

/** Does the database answer, and take no writes? */
export const isReadOnly = (error: unknown): boolean => findRefusal(error)?.code === '25006';

/** Somebody else has the key, perhaps since a moment ago. */
export const isUniqueViolation = (error: unknown): boolean => findRefusal(error)?.code === '23505';

/** A race that was lost (a deadlock, say), so that the same statement may pass at once. */
export const isLostRace = (error: unknown): boolean => findRefusal(error)?.code.startsWith('40') === true;

/**
 * Must this session not be used again, though it answers? It was opened under the default that it takes no writes, which it keeps when the database takes
 * them again; or a migration changed what a kept plan answers.
 */
export const isSessionSpent = (error: unknown): error is Error =>
  error instanceof Error && ['25006', '0A000'].includes(findRefusal(error)?.code ?? '');

/**
 * Does it say that what was sent can never be stored (SQLSTATE 22: a value that its type does not take; 23: a rule of the table)? Not among them: a key
 * that is taken or missing (23505, 23P01, 23503), since somebody else may have been quicker, and the next read shows it.
 */
export const isPermanentRefusal = (error: unknown): boolean => {
  const code = findRefusal(error)?.code ?? '';
  return /^2[23]/.test(code) && !['23505', '23P01', '23503'].includes(code);
};

/** A rule of the table, or a trigger of its owner's, speaks against this row, and perhaps not against the next (SQLSTATE 22, 23, P0). */
export const isRowRefused = (error: unknown): boolean => /^(22|23|P0)/.test(findRefusal(error)?.code ?? '');

/** No such table, column, function or schema: of a migration that was forgotten, or of a neighbour that has changed his tables. */
export const isLackOfSchema = (error: unknown): boolean => ['42P01', '42703', '42883', '3F000'].includes(findRefusal(error)?.code ?? '');

/** SQLSTATE and constraint of a refused statement; null for anything else. */
export const findRefusal = (error: unknown): { code: string; constraint: string | null } | null => {
  if (typeof error !== 'object' || error === null) return null;
  const [code, constraint] = [field(error, 'code'), field(error, 'constraint')];
  if (typeof code !== 'string' || !isSqlState(code)) return null;
  return { code, constraint: typeof constraint === 'string' ? constraint : null };
};

/** SQLSTATE: no privilege, no such column, no such type. What a neighbour's table refuses for good. */
const refusedByTable: ReadonlySet<string> = new Set(['42501', '42703', '42704']);

export const isRefusedByTable = (error: unknown): boolean => refusedByTable.has(findRefusal(error)?.code ?? '');

/** Node's own codes (ECONNREFUSED, EPIPE) are longer, shorter or no class of SQL. */
const isSqlState = (code: string): boolean => /^[0-9A-Z]{5}$/.test(code);

const field = (value: object, name: string): unknown => Reflect.get(value, name);
