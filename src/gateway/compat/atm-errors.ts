import type { Response } from 'express';
import type { Problem } from '../problem';

/** These say `{success: false, message}`; the others, and every 404, say `{error}` (atm §1.2). */
const saysSuccess = /^\/(deploy|rollback|drain|cleanup|containers|workers|admin)(\/|$)|^\/fleet\/[^/]+\/(deploy|drain)$/i;
/** Of a server in the fleet only the 401 of a reader is said that way, not that of who would wake or stop it. */
const saysSuccessUnauthorized = /^\/fleet\/[^/]+\/(?!(wake|stop)\/?$)/i;

/** One problem in ATM's words: an unknown path or a wrong method is a plain `not_found` (atm §1.1). */
export const answerInAtmWords = (response: Response, problem: Problem, path: string): void => {
  const { code } = problem;
  // ATM's word for whatever it cannot take (atm §1.3).
  const status = code === 'invalid' ? 400 : problem.status;
  if (code === 'not_found' || code === 'method_not_allowed') {
    response.removeHeader('Allow');
    response.status(404).json({ error: 'not_found' });
    return;
  }
  const message = code === 'internal' ? 'An unexpected error occurred' : code === 'unauthorized' ? unauthorized : problem.message;
  const isSuccessWorded = status !== 404 && (saysSuccess.test(path) || (status === 401 && saysSuccessUnauthorized.test(path)));
  response.status(status).json(isSuccessWorded ? { success: false, message } : { error: message });
};

const unauthorized = 'Unauthorized: invalid or missing X-Deploy-Secret';
