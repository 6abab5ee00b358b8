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
  if (error instanceof AggregateError) return error.errors.some(isDatabaseOutage);
  if (!(error instanceof Error)) return false;
  const code: unknown = Reflect.get(error, 'code');
  if (typeof code === 'string') return Reflect.has(error, 'syscall') || outageClasses.some((start) => code.startsWith(start));
  return codelessMessages.some((message) => message.test(error.message));
};

/** SQLSTATE and constraint of a refused statement; null for anything else. */
export const findRefusal = (error: unknown): { code: string; constraint: string | null } | null => {
  if (!(error instanceof Error)) return null;
  const code: unknown = Reflect.get(error, 'code');
  const constraint: unknown = Reflect.get(error, 'constraint');
  if (typeof code !== 'string' || !/^[0-9A-Z]{5}$/.test(code)) return null;
  return { code, constraint: typeof constraint === 'string' ? constraint : null };
};
