import { types } from 'node:util';
import { createLogger, format, transports, type Logger } from 'winston';
import { createRedact, isPersonalField, isSecretField, type Redact } from './domain/redact';
import { redacted, Sensitive } from './domain/sensitive';

/** Child fields: jobId, attemptId, deployId, workerId, requestId. An error goes into a field: `log.warn('…', { error })`. */
export type Log = Logger;

export interface LogOptions {
  level: string;
  /** gateway, orchestrator, …: a field of every line. */
  process: string;
  /** Lines for a person at a terminal instead of JSON. */
  pretty?: boolean;
  /** Every secret of the configuration: hidden wherever it turns up. */
  secrets?: readonly Sensitive<string>[];
  /** Standard output unless a test reads along. */
  destination?: NodeJS.WritableStream;
}

/** JSON lines on standard output. What may not be printed is taken out here, where every line passes, and not where it is written. */
export function createLog({ level, process: processName, pretty = false, secrets = [], destination }: LogOptions): Log {
  const redact = createRedact(secrets);
  // Whoever reads our lines may go away: that is no reason for the process to end.
  if (destination === undefined && process.stdout.listenerCount('error') === 0) process.stdout.on('error', () => undefined);
  return createLogger({
    level,
    format: format.printf((info) => {
      const { level: lineLevel, message, ...fields } = info;
      const line = { time: new Date().toISOString(), level: lineLevel, process: processName, message: printable(message, redact) };
      const shown = 'stack' in info ? Object.entries(fields).filter(([name]) => !rowQuotingFields.has(name)) : Object.entries(fields);
      const rest = Object.fromEntries(shown.map(([name, value]) => [name, printableField(name, value, redact)]));
      return pretty ? prettyLine(line, rest) : JSON.stringify({ ...line, ...rest, ...line });
    }),
    transports: [destination === undefined ? new transports.Console() : new transports.Stream({ stream: destination })],
    // The process decides about its end; the logger never does.
    exitOnError: false,
  });
}

const depthMax = 6;
const itemsMax = 100;
/** A longer text is somebody's page or body, not a message. */
const textLengthMax = 8_192;

function printableField(name: string, value: unknown, redact: Redact, depth = 0): unknown {
  if (value === null || value === undefined || typeof value === 'boolean') return value;
  if (isSecretField(name)) return redacted;
  if (isPersonalField(name)) return '[personal data]';
  return printable(value, redact, depth);
}

function printable(value: unknown, redact: Redact, depth = 0): unknown {
  if (typeof value === 'string') return printableText(value, redact);
  if (typeof value === 'bigint' || typeof value === 'symbol' || typeof value === 'function') return String(value).slice(0, textLengthMax);
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Sensitive) return redacted;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (value instanceof URL) return printableText(value.href, redact);
  // An error of another realm, such as the workflow sandbox, is no instance of our Error.
  if (value instanceof Error || types.isNativeError(value)) return printableError(value, redact, depth);
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  // Also the end of a circle.
  if (depth >= depthMax) return '[deeper]';
  if (Array.isArray(value) || value instanceof Set) return printableList([...value], redact, depth);
  const entries = value instanceof Map ? [...value].map(([key, item]) => [String(key), item] as const) : Object.entries(value);
  return Object.fromEntries(
    entries.slice(0, itemsMax).map(([name, item]) => [printableText(name, redact), printableField(name, item, redact, depth + 1)]),
  );
}

const printableList = (items: unknown[], redact: Redact, depth: number): unknown[] => {
  const shown = items.slice(0, itemsMax).map((item) => printable(item, redact, depth + 1));
  return items.length > itemsMax ? [...shown, `[${items.length - itemsMax} more]`] : shown;
};

/** Redacted before it is cut, so that no secret loses the part that gives it away. */
const printableText = (text: string, redact: Redact): string => {
  const shown = redact(text);
  return shown.length > textLengthMax ? `${shown.slice(0, textLengthMax)}[${shown.length - textLengthMax} more characters]` : shown;
};

/** What an error leaves among the fields when it is given as the line itself and not as `error`. */
const rowQuotingFields = new Set(['detail', 'where', 'hint', 'internalQuery', 'parameters', 'config', 'request', 'response', 'headers']);

/** What of an error helps and never holds a row or a request. Postgres' `detail` and `where` quote rows, HTTP errors carry headers. */
const safeErrorFields = [
  'code',
  'type',
  'nonRetryable',
  'retryState',
  'activityType',
  'schema',
  'table',
  'column',
  'constraint',
  'syscall',
  'address',
  'port',
];

function printableError(error: Error, redact: Redact, depth: number): unknown {
  if (depth >= depthMax) return '[deeper]';
  const own = safeErrorFields.flatMap((name) => {
    const value: unknown = Reflect.get(error, name);
    return value === undefined || value === null || typeof value === 'object' ? [] : [[name, printable(value, redact, depth + 1)] as const];
  });
  return {
    name: error.name,
    message: printableText(error.message, redact),
    ...Object.fromEntries(own),
    ...(error.cause === undefined || error.cause === null ? {} : { cause: printable(error.cause, redact, depth + 1) }),
    ...(error instanceof AggregateError ? { errors: printableList(error.errors, redact, depth) } : {}),
    stack: printableText(error.stack ?? '', redact),
  };
}

function prettyLine({ time, level, message }: { time: string; level: string; message: unknown }, fields: object): string {
  const shown = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ` ${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  return `${time.slice(11, 23)} ${level.toUpperCase().padEnd(5)} ${String(message)}${shown.join('')}`;
}
