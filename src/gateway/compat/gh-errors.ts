import type { Response } from 'express';
import { problems, type ProblemCode } from '../../contracts/errors';
import type { Problem } from '../problem';

/** GH's words for an error (ghosthands §1.1). */
const ghErrors: Readonly<Record<ProblemCode, string>> = {
  malformed: 'bad_request',
  unauthorized: 'unauthorized',
  forbidden: 'forbidden',
  not_found: 'not_found',
  method_not_allowed: 'http_error',
  worker_not_found: 'not_found',
  host_not_found: 'not_found',
  not_taken_over: 'http_error',
  host_unreachable: 'http_error',
  worker_busy: 'invalid_state',
  job_not_found: 'not_found',
  command_not_found: 'not_found',
  callback_not_found: 'not_found',
  idempotency_conflict: 'validation_error',
  job_state_conflict: 'invalid_state',
  confirmation_needed: 'invalid_state',
  command_under_way: 'invalid_state',
  deploy_not_found: 'not_found',
  destination_not_found: 'not_found',
  deploy_under_way: 'invalid_state',
  deploy_state_conflict: 'invalid_state',
  too_large: 'http_error',
  unsupported_media_type: 'http_error',
  invalid: 'validation_error',
  too_many_requests: 'rate_limit_exceeded',
  internal: 'internal_error',
  no_deployer: 'unavailable',
  too_many_readers: 'unavailable',
  secrets_key_missing: 'unavailable',
  unavailable: 'unavailable',
};

const stateCodes: readonly ProblemCode[] = ['job_state_conflict', 'confirmation_needed', 'command_under_way', 'worker_busy'];

/** The product takes any 409 for success (valet §1.3), so that a refusal is never one: 423 where the state forbids it, else 422. */
export const ghErrorStatus = (code: ProblemCode): number => {
  const { status } = problems[code];
  if (status !== 409) return status;
  return stateCodes.includes(code) ? 423 : 422;
};

export const ghErrorBody = ({ code, message, errors }: Pick<Problem, 'code' | 'message' | 'errors'>): object => ({
  error: ghErrors[code],
  ...(code === 'invalid' && errors.length > 0
    ? { details: errors.map((error) => ({ field: error.path, message: error.message, code: error.code })) }
    : { message: code === 'internal' ? 'An unexpected error occurred' : message }),
});

export const answerInGhDialect = (response: Response, problem: Problem): void => {
  response.status(ghErrorStatus(problem.code)).json(ghErrorBody(problem));
};
