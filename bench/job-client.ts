import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { Agent, request, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import type { Client } from '@temporalio/client';
import { makeApplyJobId } from '../src/contracts/ids';
import { statusQuery, type ApplyJobResult } from '../src/contracts/messages';
import type { ControlPlane } from './control-plane';

const acceptedSchema = z.object({ jobId: z.string() });

/**
 * The smallest client of Node with kept connections: it shares the process with the gateway, and what it costs is not the gateway's. It gives an idle
 * connection up after a second. The server does so after five, and whoever asks in that very moment is answered with ECONNRESET.
 */
const agent = new Agent({ keepAlive: true, timeout: 1_000 });

/** Submits as the product does, and answers when the reply is there. */
export const submitJob = async ({ url, apiKey }: Pick<ControlPlane, 'url' | 'apiKey'>): Promise<string> => {
  const job = JSON.stringify({
    userId: randomUUID(),
    targetUrl: 'https://jobs.example.test/postings/4711',
    platform: 'greenhouse',
    profile: { firstName: 'Zoë', lastName: 'Ünal', email: 'zoe@example.test', phone: '+49 30 1234567' },
    answers: { 'Are you authorised to work here?': 'Yes' },
    resume: { storagePath: 'resumes/1.pdf' },
    taskId: randomUUID(),
  });
  const headers = {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(job),
    'x-api-key': apiKey,
    'idempotency-key': randomUUID(),
  };
  const sent = request(`${url}/v1/jobs`, { method: 'POST', agent, headers }).end(job);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  const body = await text(response);
  if (response.statusCode !== 201) throw new Error(`the job was answered with ${response.statusCode}: ${body}`);
  return acceptedSchema.parse(JSON.parse(body)).jobId;
};

/** A job that takes so long is stuck, and with it the measure. */
const lifeMsMax = 30_000;

/** Waits for the end of a job; one that did not succeed spoils the measure. */
export const awaitSuccess = async (client: Client, jobId: string): Promise<void> => {
  const handle = client.workflow.getHandle<() => Promise<ApplyJobResult>>(makeApplyJobId({ jobId }));
  const result = await client
    .withDeadline(Date.now() + lifeMsMax, async () => await handle.result())
    .catch(async (error: unknown) => {
      throw new Error(`job ${jobId} did not end: ${JSON.stringify(await handle.query(statusQuery).catch(String))}`, { cause: error });
    });
  if (result.state !== 'succeeded') throw new Error(`job ${jobId} ended as ${result.state}: ${result.reason}`);
};
