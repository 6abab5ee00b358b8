/** Connection lost or refused, resources exhausted, shutting down, and races that end well when repeated. */
const outageClasses = ['08', '53', '57P', '40'];

/** What pg throws without any code when the connection goes, or none is to be had. */
const codelessMessages = [
  /^timeout exceeded when trying to connect/,
  /^Connection terminated/,
  /^Client has encountered a connection error/,
];

/** Did Postgres not answer, rather than answer that the statement is wrong? Then the same request succeeds later. */
export const isDatabaseOutage = (error: unknown): boolean => {
  if (typeof error !== 'object' || error === null) return false;
  // Every address of a name that was tried has an error of its own.
  const errors = field(error, 'errors');
  if (Array.isArray(errors)) return errors.some(isDatabaseOutage);
  const [code, message] = [field(error, 'code'), field(error, 'message')];
  if (typeof code === 'string') return 'syscall' in error || outageClasses.some((start) => code.startsWith(start));
  return typeof message === 'string' && codelessMessages.some((pattern) => pattern.test(message));
};

/** SQLSTATE and constraint of a refused statement; null for anything else. */
export const findRefusal = (error: unknown): { code: string; constraint: string | null } | null => {
  if (typeof error !== 'object' || error === null) return null;
  const [code, constraint] = [field(error, 'code'), field(error, 'constraint')];
  if (typeof code !== 'string' || !/^[0-9A-Z]{5}$/.test(code)) return null;
  return { code, constraint: typeof constraint === 'string' ? constraint : null };
};

/** SQLSTATE: no privilege, no such column, no such type. What a neighbour's table refuses for good. */
const refusedByTable: ReadonlySet<string> = new Set(['42501', '42703', '42704']);

export const isRefusedByTable = (error: unknown): boolean => refusedByTable.has(findRefusal(error)?.code ?? '');

const field = (value: object, name: string): unknown => Reflect.get(value, name);
