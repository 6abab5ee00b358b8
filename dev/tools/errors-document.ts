import { problemCodes, problems } from '../../src/contracts/errors';

/** The text of docs/errors.md. */
export const makeErrorsDocument = (): string =>
  [
    '# Errors',
    '',
    'Made from `src/contracts/errors.ts` by `UPDATE_DOCS=1 npx jest errors-document`.',
    '',
    'Every error under `/v1` is `application/problem+json` (RFC 9457): `type` is `urn:yardmaster:problem:<code>`, `detail` says what to change,',
    '`requestId` finds the request in the log (also in the header `X-Request-Id`), and `errors` names each invalid field with its path.',
    "A 4xx has changed no job; a refused command leaves its line in the audit. The product's paths (`/api/v1/gh/…`) answer in GH's words instead; there 409 only means that it was accepted before.",
    '',
    '| status | code | title | meaning |',
    '| --- | --- | --- | --- |',
    ...problemCodes
      .toSorted((a, b) => problems[a].status - problems[b].status)
      .map((code) => `| ${problems[code].status} | \`${code}\` | ${problems[code].title} | ${problems[code].meaning} |`),
    '',
  ].join('\n');
