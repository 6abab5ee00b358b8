import { problemCodes, problems, type ProblemCode } from '../contracts/errors';
import { atmErrorBody, atmErrorStatus } from './compat/atm-errors';
import { atmErrorSchema } from './compat/atm-schemas';
import { ghErrorBody, ghErrorStatus } from './compat/gh-errors';
import { ghErrorSchema } from './compat/valet-schemas';
import type { Dialect } from './dialect';
import type { Endpoint } from './endpoint';
import { isUncounted } from './middleware/rate-limit';
import { problemBody } from './problem';
import { problemSchema } from './schemas/problem';

const statusOf: Readonly<Record<Dialect, (code: ProblemCode) => number>> = {
  native: (code) => problems[code].status,
  product: ghErrorStatus,
  atm: atmErrorStatus,
};

interface DescribedError {
  code: ProblemCode;
  status: number;
  description: string;
}

/** What can go wrong beside what an endpoint says itself follows from what it takes and who may use it; its dialect gives each a status. */
export const listErrors = ({ path, dialect, roles, params, query, headers, body, answers }: Endpoint): DescribedError[] => {
  const hasBody = body !== undefined;
  const needsKey = roles !== 'public';
  const codes: [ProblemCode, boolean][] = [
    ['invalid', hasBody],
    ['malformed', hasBody || params !== undefined || query !== undefined || headers !== undefined],
    ['unauthorized', needsKey],
    ['forbidden', needsKey],
    ['job_not_found', path.includes(':jobId')],
    ['worker_not_found', path.includes(':workerId')],
    ['command_not_found', path.includes(':commandId')],
    ['deploy_not_found', path.includes(':deployId')],
    ['host_not_found', path.includes(':serverId')],
    ['too_large', hasBody],
    ['unsupported_media_type', hasBody],
    ['too_many_requests', !isUncounted(path)],
    ['internal', true],
    ['unavailable', true],
  ];
  const errors = codes.flatMap(([code, applies]) => (applies ? [describeError(dialect, code)] : []));
  return [...new Map(errors.map((error) => [error.status, error])).values()].filter(({ status }) => !(status in answers));
};

const describeError = (dialect: Dialect, code: ProblemCode): DescribedError => ({
  code,
  status: statusOf[dialect](code),
  description: `${problems[code].title}. ${problems[code].meaning}`,
});

/** Most endpoints of a dialect have most of its errors. */
export const sharedErrorName = (dialect: Dialect, code: ProblemCode): string => `${dialect}_${code}`;

/** Of an error that an endpoint describes in words of its own only the status is known: it looks like the first of that status. */
export const errorContentOf = (dialect: Dialect, status: number): Record<string, ErrorContent> => {
  const code = problemCodes.find((each) => statusOf[dialect](each) === status);
  if (code === undefined) throw new Error(`no problem has the status ${status} in the dialect ${dialect}`);
  return errorContent(dialect, code);
};

type ErrorContent = {
  schema: { $ref: string };
  example?: object;
  examples?: Record<string, { value: object }>;
};

export const errorContent = (dialect: Dialect, code: ProblemCode): Record<string, ErrorContent> => {
  const problem = { code, message: problems[code].meaning, errors: code === 'invalid' ? [invalidField] : [] };
  if (dialect === 'product') return { 'application/json': { schema: pointerTo(ghErrorSchema), example: ghErrorBody(problem) } };
  if (dialect === 'native') {
    const example = problemBody(problem, { instance: '/v1/jobs', requestId: '6f1d2c3b-4a59-4e87-9c0d-1b2a3c4d5e6f' });
    return { 'application/problem+json': { schema: pointerTo(problemSchema), example } };
  }
  const examples = {
    'as of a deploy': { value: atmErrorBody(problem, '/deploy') },
    'as of a page': { value: atmErrorBody(problem, '/fleet') },
  };
  return { 'application/json': { schema: pointerTo(atmErrorSchema), examples } };
};

const invalidField = { path: 'reason', message: 'Too small: expected string to have >=1 characters', code: 'too_small' };

/** The schemas that shared responses point at. */
export const errorSchemas = [problemSchema, ghErrorSchema, atmErrorSchema] as const;

const pointerTo = (schema: (typeof errorSchemas)[number]): { $ref: string } => ({
  $ref: `#/components/schemas/${String(schema.meta()?.id)}`,
});
