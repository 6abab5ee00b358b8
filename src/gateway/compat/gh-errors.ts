import type { Response } from 'express';
import type { ProblemCode } from '../../contracts/errors';
import type { Problem } from '../problem';

/** GH's words for an error (ghosthands §1.1). */
const ghErrors: Readonly<Record<ProblemCode, string>> = {
  malformed: 'bad_request',
  unauthorized: 'unauthorized',
  forbidden: 'forbidden',
  not_found: 'not_found',
  method_not_allowed: 'http_error',
  job_not_found: 'not_found',
  callback_not_found: 'not_found',
  idempotency_conflict: 'validation_error',
  job_state_conflict: 'validation_error',
  too_large: 'http_error',
  unsupported_media_type: 'http_error',
  invalid: 'validation_error',
  too_many_requests: 'rate_limit_exceeded',
  internal: 'internal_error',
  unavailable: 'unavailable',
};

/** The product takes any 409 for success (valet §0.3), so that a refusal is never one. */
export const answerInGhWords = (response: Response, problem: Problem): void => {
  response.status(problem.status === 409 ? 422 : problem.status).json({
    error: ghErrors[problem.code],
    ...(problem.code === 'invalid' && problem.errors.length > 0
      ? { details: problem.errors.map(({ path, message, code }) => ({ field: path, message, code })) }
      : { message: problem.code === 'internal' ? 'An unexpected error occurred' : problem.message }),
  });
};
