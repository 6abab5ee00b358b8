import { z } from 'zod';
import type { DeployCursor } from '../db/deploys/deploy-reads';
import type { JobCursor } from '../db/jobs/job-reads';
import { parseJson } from '../domain/json';
import { Problem } from './problem';

type Order = 'newest' | 'deadline';

const cursorSchema = z.tuple([z.enum(['newest', 'deadline']), z.int().min(0).max(8e15), z.guid()]);

const auditCursorSchema = z.tuple([z.literal('audit'), z.int().min(1)]);

export const makeAuditCursor = (before: number): string => Buffer.from(JSON.stringify(['audit', before])).toString('base64url');

export const parseAuditCursor = (text: string): number => {
  const read = auditCursorSchema.safeParse(parseJson(Buffer.from(text, 'base64url').toString('utf8')));
  if (!read.success) throw malformedCursor('is not a cursor of this list: use nextCursor of the last answer, or leave it out');
  return read.data[1];
};

const deployCursorSchema = z.tuple([z.literal('deploys'), z.int().min(0).max(8e15), z.guid()]);

export const makeDeployCursor = ({ atMicros, deployId }: DeployCursor): string =>
  Buffer.from(JSON.stringify(['deploys', atMicros, deployId])).toString('base64url');

export const parseDeployCursor = (text: string): DeployCursor => {
  const read = deployCursorSchema.safeParse(parseJson(Buffer.from(text, 'base64url').toString('utf8')));
  if (!read.success) throw malformedCursor('is not a cursor of this list: use nextCursor of the last answer, or leave it out');
  return { atMicros: read.data[1], deployId: read.data[2] };
};

/** Opaque to callers, so that its content may change. */
export const makeCursor = (order: Order, { atMicros, jobId }: JobCursor): string =>
  Buffer.from(JSON.stringify([order, atMicros, jobId])).toString('base64url');

export const parseCursor = (text: string, order: Order): JobCursor => {
  const read = cursorSchema.safeParse(parseJson(Buffer.from(text, 'base64url').toString('utf8')));
  if (!read.success) throw malformedCursor('is not a cursor of ours: use nextCursor of the last answer, or leave it out');
  const [itsOrder, atMicros, jobId] = read.data;
  if (itsOrder !== order) throw malformedCursor('belongs to a list with another order: start again without it');
  return { atMicros, jobId };
};

const malformedCursor = (message: string): Problem =>
  new Problem('malformed', `cursor ${message}`, { errors: [{ path: 'cursor', message, code: 'custom' }] });
