import express, { type RequestHandler } from 'express';
import { Problem } from '../problem';

const depthMax = 32;

/** Reads a JSON body within the limit, and refuses what Postgres cannot keep. Comes after the key was checked: strangers' bodies are not read. */
export const jsonBody = (bytesMax: number): RequestHandler[] => [
  (request, _response, next) => {
    if (request.get('transfer-encoding') === undefined && (request.get('content-length') ?? '0') === '0') {
      throw new Problem('malformed', 'The body is missing: send a JSON object');
    }
    if (request.is(['json', '+json']) === false) {
      throw new Problem('unsupported_media_type', 'The body must be JSON: send Content-Type: application/json');
    }
    next();
  },
  // Any JSON is read: that it is no object is for the schema to say, as of a list.
  express.json({ limit: bytesMax, type: ['json', '+json'], strict: false }),
  (request, _response, next) => {
    const problem = findUnstorable(request.body);
    if (problem === null) return next();
    const path = problem.path.join('.');
    throw new Problem('invalid', `${path}: ${problem.message}`, { errors: [{ path, message: problem.message, code: 'custom' }] });
  },
];

/** Postgres keeps no NUL and no half of a surrogate pair, in text as in jsonb. */
const findUnstorable = (value: unknown, path: readonly string[] = []): { path: readonly string[]; message: string } | null => {
  if (path.length > depthMax) return { path: path.slice(0, 5), message: `is nested deeper than ${depthMax} levels` };
  if (typeof value === 'string')
    return isStorable(value) ? null : { path, message: 'contains a character that no text may hold (NUL or half a pair)' };
  if (typeof value !== 'object' || value === null) return null;
  for (const [name, item] of Object.entries(value)) {
    if (!isStorable(name)) return { path, message: 'has a field name with a character that no text may hold' };
    const found = findUnstorable(item, [...path, name]);
    if (found !== null) return found;
  }
  return null;
};

const isStorable = (text: string): boolean => !text.includes('\0') && !/\p{Surrogate}/u.test(text);
