import type { RequestHandler } from 'express';
import { requireKey } from '../middleware/auth';
import { Problem } from '../problem';
import { getFacts } from '../request-facts';

export const noMachines = 'Yardmaster starts and stops no machines';
const noSecrets = 'Yardmaster keeps no secrets of others';

/** What ATM does and we do not take over, with what to do instead. */
const refused: readonly { methods: readonly string[] | null; path: RegExp; why: string }[] = [
  { methods: ['POST'], path: /^\/fleet\/wake$/i, why: noMachines },
  { methods: ['POST'], path: /^(\/fleet\/[^/]+)?\/deploy$/i, why: 'Nothing is deployed through a Docker socket; use POST /v1/deploys' },
  { methods: ['POST'], path: /^\/rollback$/i, why: 'Nothing is deployed through a Docker socket; use POST /rollback/kamal' },
  { methods: ['POST'], path: /^\/cleanup$/i, why: 'Yardmaster runs no clean-up of disks' },
  { methods: null, path: /^\/secrets(\/(?!status$).*)?$/i, why: noSecrets },
  { methods: null, path: /^(\/fleet\/[^/]+)?\/admin(\/.*)?$/i, why: noSecrets },
  { methods: null, path: /^\/internal(\/.*)?$/i, why: `${noSecrets}, and no keys of language models` },
];

/** A machine without a page of it. ATM says so before it asks for a secret (atm §1.1). */
const bareMachine = /^\/fleet\/(?!idle-status\/?$)[^/]+\/?$/i;

/** 501, so that nobody takes it for a slip in the path; but strangers get a 401 (atm §1.1). */
export const refuseWhatIsNotOurs: RequestHandler = (request, _response, next) => {
  if (request.method === 'GET' && bareMachine.test(request.path)) {
    getFacts(request).route = 'no page of a machine';
    throw new Problem('malformed', 'Missing path: name a page, such as /fleet/:id/health');
  }
  const found = refused.find(({ methods, path }) => path.test(request.path) && (methods === null || methods.includes(request.method)));
  if (found === undefined) return next();
  getFacts(request).route = 'not taken over';
  requireKey(request);
  throw new Problem('not_taken_over', found.why);
};
