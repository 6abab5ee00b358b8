import type { Request, RequestHandler } from 'express';
import { z } from 'zod';
import type { Dialect } from './dialect';
import { Problem, type FieldError } from './problem';
import { getFacts, type RequestFacts } from './request-facts';
import type { Role } from './role';
import type { Tag } from './tags';

/** One path and method: what it takes, what it answers, in the schemas that validate it and that /openapi.json shows. */
export interface Endpoint {
  method: 'get' | 'post' | 'delete';
  /** In Express' words: `/v1/jobs/:jobId`; `*path` takes the rest of it, slashes as well. */
  path: string;
  dialect: Dialect;
  /** Who may use it. */
  roles: readonly Role[] | 'public';
  /** ATM itself answers it to anybody (atm §1.3); we do only where the setting ATM_OPEN_READS wants it. */
  isOpenAtAtm?: boolean;
  tag: Tag;
  summary: string;
  description?: string;
  params?: z.ZodObject;
  /** An act without one takes none. */
  query?: z.ZodObject;
  /** By lower-case name. */
  headers?: z.ZodObject;
  body?: z.ZodType;
  /** The same for who reads the document, where `body` has rules that one object cannot say. */
  bodyShown?: z.ZodType;
  /** VALET's client sends none with its commands (valet §1.1); then it is read as an empty object. */
  isBodyOptional?: boolean;
  bodyExamples?: Readonly<Record<string, object>>;
  answers: Readonly<Record<number, DescribedAnswer>>;
  /** Whatever a machine answers comes through, with its status and its type. */
  isPassedOn?: boolean;
}

export interface DescribedAnswer {
  description: string;
  schema?: z.ZodType;
  contentType?: string;
  /** Besides those that every answer has. */
  headers?: readonly AnswerHeader[];
}

export type AnswerHeader = 'Location' | 'Set-Cookie';

/** The path in the words of OpenAPI. */
export const pathTemplate = (path: string): string => path.replaceAll(/[:*](\w+)/g, '{$1}');

type Read<Schema> = Schema extends z.ZodType ? z.output<Schema> : undefined;

/** The request as its schemas read it. */
export interface Input<E extends Endpoint> {
  params: Read<E['params']>;
  query: Read<E['query']>;
  headers: Read<E['headers']>;
  body: Read<E['body']>;
}

export interface Answer {
  status: number;
  body: object | string;
  headers?: Readonly<Record<string, string>>;
}

/** Reads the request by the endpoint's schemas, calls, and writes the answer. */
export const answer = <E extends Endpoint>(
  endpoint: E,
  handle: (input: Input<E>, facts: RequestFacts) => Promise<Answer> | Answer,
): RequestHandler => {
  return async (request, response) => {
    const { status, body, headers = {} } = await handle(readInput(endpoint, request), getFacts(request));
    response.status(status).set(headers);
    if (typeof body !== 'string') return void response.json(body);
    // What passes through keeps the type that it came with.
    if (headers['Content-Type'] === undefined) response.type(endpoint.answers[status]?.contentType ?? 'text/plain');
    response.send(body);
  };
};

/** The compiler cannot follow a schema through a generic; `read` answers exactly what the schema of that name makes. */
export const readInput = <E extends Endpoint>(endpoint: E, request: Request): Input<E> =>
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- see above
  ({
    params: read(endpoint.params, request.params, { where: 'path', code: 'malformed' }),
    query: read(querySchemaOf(endpoint), request.query, { where: 'query', code: 'malformed' }),
    headers: read(endpoint.headers, request.headers, { where: 'header', code: 'malformed' }),
    body: read(endpoint.body, request.body, { where: 'body', code: 'invalid' }),
  }) as Input<E>;

/**
 * What stands in the query of an act that reads none was meant to bound it: `?dryRun=true` of a deploy, `?worker_id=` of a drain that without one is
 * the fleet's. VALET's client comes as it is.
 */
const querySchemaOf = ({ method, dialect, query }: Endpoint): z.ZodType | undefined =>
  query ?? (method === 'post' && dialect !== 'product' ? noQuerySchema : undefined);

export const noQuerySchema = z.strictObject({});

const read = (
  schema: z.ZodType | undefined,
  value: unknown,
  { where, code }: { where: string; code: 'malformed' | 'invalid' },
): unknown => {
  if (schema === undefined) return undefined;
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const errors = result.error.issues.flatMap(toFieldErrors);
  const shown = errors.slice(0, fieldErrorsShown);
  const named = shown.map(({ path, message }) => `${path === '' ? where : path}: ${message}`).join('; ');
  throw new Problem(code, errors.length > shown.length ? `${named}; and ${errors.length - shown.length} more` : named, {
    errors: errors.slice(0, fieldErrorsMax),
  });
};

const fieldErrorsShown = 3;
/** A body of a quarter megabyte can hold a hundred thousand unknown fields. */
const fieldErrorsMax = 50;

const toFieldErrors = (issue: z.core.$ZodIssue): FieldError[] => {
  const path = issue.path.map(String);
  if (issue.code !== 'unrecognized_keys') return [{ path: path.join('.'), message: issue.message, code: issue.code }];
  return issue.keys.map((name) => ({ path: [...path, name].join('.').slice(0, 200), message: 'unknown field', code: issue.code }));
};
