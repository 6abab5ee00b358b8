import express, { type RequestHandler } from 'express';
import { z } from 'zod';
import { findJsonLosses } from '../../domain/exact-json';
import { Problem } from '../problem';

/**
 * Reads a JSON body within the limit, and refuses what could not be kept as it was sent. Comes after the key was checked: strangers' bodies are not read.
 */
export const jsonBody = (bytesMax: number): ((schema: z.ZodType) => RequestHandler[]) => {
  const readBytes = express.raw({ limit: bytesMax, type: jsonTypes });
  return (schema) => [
    (request, _response, next) => {
      if (request.get('transfer-encoding') === undefined && (request.get('content-length') ?? '0') === '0') {
        throw new Problem('malformed', 'The body is missing: send a JSON object');
      }
      const charset = /charset *= *"?([^\s;"]+)/i.exec(request.get('content-type') ?? '')?.[1] ?? 'utf-8';
      if (request.is(jsonTypes) === false || !/^(utf-?8|us-ascii)$/i.test(charset)) {
        throw new Problem('unsupported_media_type', 'The body must be JSON in UTF-8: send Content-Type: application/json');
      }
      next();
    },
    readBytes,
    (request, _response, next) => {
      const bytes: unknown = request.body;
      const text = Buffer.isBuffer(bytes) && bytes.length > 0 ? decode(bytes) : '{}';
      request.body = parseJson(text);
      refuseLosses(text, schema);
      next();
    },
  ];
};

const jsonTypes = ['json', '+json'];

/** Bytes that are no UTF-8 would come out as question marks. */
const decode = (bytes: Buffer): string => {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new Problem('malformed', 'The body is not valid UTF-8');
  }
};

/** Any JSON is read: that it is no object is for the schema to say, as of a list. */
const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    throw new Problem('malformed', 'The body is not valid JSON');
  }
};

/** What is in a field that the schema does not know is dropped or refused with it, so nothing of it can be changed. */
const refuseLosses = (text: string, schema: z.ZodType): void => {
  const known = schema instanceof z.ZodObject ? Object.keys(schema.shape) : null;
  const losses = findJsonLosses(text, (field) => known === null || known.includes(field));
  const errors = losses.map(({ path, message }) => ({ path: path.join('.').slice(0, 200), message, code: 'custom' }));
  const [first] = errors;
  if (first !== undefined) throw new Problem('invalid', `${first.path === '' ? 'body' : first.path}: ${first.message}`, { errors });
};
