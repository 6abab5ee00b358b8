import createClient from 'openapi-fetch';
import type { paths } from './schema';

declare const process: { argv: string[]; stdout: { write(text: string): void }; exitCode: number };

/**
 * What a stranger writes against /openapi.json: a submit, a list, a cancel and a stream, without a cast. test/faults/openapi-client.test.ts makes
 * `schema.d.ts` beside it, compiles both and runs them against a gateway. Prints what it saw.
 */
const main = async ([baseUrl = '', operatorKey = '', readerKey = '', deployId = '']: string[]): Promise<void> => {
  const operator = createClient<paths>({ baseUrl, headers: { 'X-API-Key': operatorKey } });
  const reader = createClient<paths>({ baseUrl, headers: { 'X-API-Key': readerKey } });

  const submitted = await operator.POST('/v1/jobs', {
    params: { header: { 'idempotency-key': `client-${Date.now()}` } },
    body: {
      userId: '6f1d2c3b-4a59-4e87-9c0d-1b2a3c4d5e6f',
      targetUrl: 'https://boards.greenhouse.io/acme/jobs/4512345',
      profile: { firstName: 'Ada', lastName: 'Lovelace', email: 'ada@example.com' },
      resume: { storagePath: 'resumes/ada.pdf' },
      priority: 3,
    },
  });
  if (submitted.data === undefined) throw new Error(`${submitted.error.code}: ${submitted.error.detail}`);
  const { jobId, acceptedAt } = submitted.data;

  const listed = await reader.GET('/v1/jobs', {
    params: { query: { state: ['accepted', 'waiting'], needsAttention: false, limit: 200 } },
  });
  if (listed.data === undefined) throw new Error(`${listed.error.code}: ${listed.error.detail}`);
  const job = listed.data.jobs.find((each) => each.jobId === jobId);

  const cancelled = await operator.POST('/v1/jobs/{jobId}/cancel', {
    params: { path: { jobId }, query: { wait: 30 } },
    body: { reason: 'Only a test' },
  });
  if (cancelled.data === undefined) throw new Error(`${cancelled.error.code}: ${cancelled.error.detail}`);

  const again = await operator.POST('/v1/jobs/{jobId}/cancel', { params: { path: { jobId } } });
  // A conflict is a problem, with the command beside it or not.
  const conflict = again.error !== undefined && 'commandId' in again.error ? again.error.jobState : null;

  const stream = await reader.GET('/v1/deploys/{deployId}/stream', {
    params: { path: { deployId }, query: { after: 0 } },
    parseAs: 'stream',
  });
  if (stream.data === undefined || stream.data === null) throw new Error(`The stream was answered with ${stream.response.status}`);
  let frames = '';
  for await (const chunk of stream.data.pipeThrough(new TextDecoderStream())) frames += chunk;

  const seen = {
    location: submitted.response.headers.get('Location'),
    jobId,
    acceptedAt,
    listedAs: job?.state ?? null,
    outcome: cancelled.data.outcome,
    route: cancelled.data.route?.route ?? null,
    conflict,
    frames,
  };
  process.stdout.write(JSON.stringify(seen));
};

main(process.argv.slice(2)).catch((error: unknown) => {
  process.stdout.write(error instanceof Error ? (error.stack ?? error.message) : 'failed');
  process.exitCode = 1;
});
