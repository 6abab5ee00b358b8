import { createRedact } from './redact';
import { withoutUrlSecretsIn } from './url-secrets';

/** GH's errors quote a page, or the log of a browser that waited for it; its own row has all of it. */
export const workerTextCharsMax = 2_000;

/** More than is kept, so that nothing is cut where it could still be recognised. */
const readCharsMax = 4 * workerTextCharsMax;

const redact = createRedact();

/** What a worker wrote of its page, as rows of ours, histories and the product may have it (promise 8): what it was typing may be in it, and whose it was. */
export const cleanWorkerText = (text: string): string => {
  const clean = redact(withoutUrlSecretsIn(text.slice(0, readCharsMax)));
  return clean.length <= workerTextCharsMax ? clean : `${clean.slice(0, workerTextCharsMax - 1).replace(/[\uD800-\uDBFF]$/, '')}…`;
};
