import { problems } from '../contracts/errors';
import type { AnswerHeader, Endpoint } from './endpoint';
import { isUncounted } from './middleware/rate-limit';

/** The headers of answers that a program may rely on, by their names. */
export const answerHeaders = {
  'X-Request-Id': {
    description: 'Finds the request in our log; the one that came with the request, where it was a plain one.',
    required: true,
    schema: { type: 'string' },
    example: '6f1d2c3b-4a59-4e87-9c0d-1b2a3c4d5e6f',
  },
  RateLimit: {
    description: 'How many requests are left, and for how many seconds (RateLimit header fields, draft 8).',
    schema: { type: 'string' },
    example: '"requests"; r=599; t=60',
  },
  'RateLimit-Policy': {
    description: 'How many requests may come in how many seconds.',
    schema: { type: 'string' },
    example: '"requests"; q=600; w=60; pk=:NDRhMGY1NTQ4N2Rk:',
  },
  'Retry-After': { description: 'Seconds to wait.', schema: { type: 'integer', minimum: 0 }, example: 2 },
  'WWW-Authenticate': { description: 'How to say who one is.', required: true, schema: { type: 'string' }, example: 'Bearer' },
  Location: {
    description: 'Where to look for what came of it.',
    required: true,
    schema: { type: 'string', format: 'uri-reference' },
    example: '/v1/jobs/3c2b1a09-8f7e-4d6c-9b5a-4938271605f4',
  },
  'Set-Cookie': {
    description: 'The session, or its end.',
    required: true,
    schema: { type: 'string' },
    example: 'yardmaster_session=…; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict; Secure',
  },
} as const;

type Header = keyof typeof answerHeaders;

const byStatus: Readonly<Record<number, readonly Header[]>> = {
  [problems.unauthorized.status]: ['WWW-Authenticate'],
  [problems.too_many_requests.status]: ['Retry-After'],
  [problems.unavailable.status]: ['Retry-After'],
};

export const headersOf = (
  { path }: Pick<Endpoint, 'path'>,
  status: number,
  own: readonly AnswerHeader[] = [],
): Record<string, { $ref: string }> => {
  const counted: readonly Header[] = isUncounted(path) ? [] : ['RateLimit', 'RateLimit-Policy'];
  const names: readonly Header[] = ['X-Request-Id', ...counted, ...(byStatus[status] ?? []), ...own];
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
};
