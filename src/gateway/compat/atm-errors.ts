import type { Response } from 'express';
import { problems, type ProblemCode } from '../../contracts/errors';
import type { Problem } from '../problem';

/** These say `{success: false, message}`; the others, and every 404, say `{error}` (atm §1.2). */
const saysSuccess = /^\/(deploy|rollback|drain|cleanup|containers|workers|admin)(\/|$)|^\/fleet\/[^/]+\/(deploy|drain)$/i;
/** Of a server in the fleet only the 401 of a reader is said that way, not that of who would wake or stop it. */
const saysSuccessUnauthorized = /^\/fleet\/[^/]+\/(?!(wake|stop)\/?$)/i;

/** One problem in ATM's dialect: an unknown path or a wrong method is a plain `not_found` (atm §1.1). */
export const answerInAtmDialect = (response: Response, problem: Problem, path: string): void => {
  if (isUnknown(problem.code)) response.removeHeader('Allow');
  response.status(atmErrorStatus(problem.code)).json(atmErrorBody(problem, path));
};

const isUnknown = (code: ProblemCode): boolean => code === 'not_found' || code === 'method_not_allowed';

/** 400 is ATM's word for whatever it cannot take (atm §1.3). */
export const atmErrorStatus = (code: ProblemCode): number => (isUnknown(code) ? 404 : code === 'invalid' ? 400 : problems[code].status);

export const atmErrorBody = ({ code, message: detail }: Pick<Problem, 'code' | 'message'>, path: string): object => {
  if (isUnknown(code)) return { error: 'not_found' };
  const status = atmErrorStatus(code);
  const message = code === 'internal' ? 'An unexpected error occurred' : code === 'unauthorized' ? unauthorized : detail;
  const hasSuccessField = status !== 404 && (saysSuccess.test(path) || (status === 401 && saysSuccessUnauthorized.test(path)));
  return hasSuccessField ? { success: false, message } : { error: message };
};

const unauthorized = 'Unauthorized: invalid or missing X-Deploy-Secret';
