import { problems, type ProblemCode } from '../contracts/errors';

/** What is wrong with one field; `code` is the word of the validator, which the product's dialect repeats. */
export interface FieldError {
  path: string;
  message: string;
  code: string;
}

/** An answer that is no success, as a person or a program should read it. Never holds a value of the request: it may be personal data. */
export class Problem extends Error {
  readonly code: ProblemCode;
  readonly errors: readonly FieldError[];
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    code: ProblemCode,
    detail: string,
    { errors = [], headers = {} }: { errors?: readonly FieldError[]; headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(detail);
    this.name = 'Problem';
    this.code = code;
    this.errors = errors;
    this.headers = headers;
  }

  get status(): number {
    return problems[this.code].status;
  }
}

/** RFC 9457. */
export const problemBody = (
  { code, message, errors = [] }: { code: ProblemCode; message: string; errors?: readonly FieldError[] },
  { instance, requestId }: { instance: string; requestId: string },
): object => ({
  type: `urn:yardmaster:problem:${code}`,
  title: problems[code].title,
  status: problems[code].status,
  detail: message,
  instance,
  code,
  requestId,
  ...(errors.length === 0 ? {} : { errors: errors.map((error) => ({ path: error.path, message: error.message })) }),
});

/** One invalid field that no schema could find. */
export const invalidField = (path: string, message: string): Problem =>
  new Problem('invalid', `${path}: ${message}`, { errors: [{ path, message, code: 'custom' }] });

export const noSuchJob = (jobId: string): Problem => new Problem('job_not_found', `No job has the id ${jobId}`);
