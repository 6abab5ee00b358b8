import { request as requestHttp, type IncomingMessage } from 'node:http';
import { request as requestHttps } from 'node:https';
import { isIP } from 'node:net';
import { z } from 'zod';
import type { CallbackBody } from '../contracts/callback';
import { readRetryAfterMs, type CallbackReply } from '../domain/callback-answer';
import { parseJson } from '../domain/json';
import type { Sensitive } from '../domain/sensitive';
import { AddressNotAllowed, createCheckedLookup, findAddressProblem } from './allowed-address';

export interface CallbackClient {
  /** Never throws; its errors name neither the address nor what was answered. */
  send(url: string, body: CallbackBody): Promise<CallbackReply>;
}

export interface CallbackClientOptions {
  serviceSecret: Sensitive<string> | null;
  allowedOrigins: readonly string[];
  allowPrivateAddresses: boolean;
  /** From the look-up of the name to the last byte of the answer. */
  timeoutMs: number;
  /** A longer answer is not read to its end. */
  answerBytesMax: number;
  /** The longest wait that an answer may ask for. */
  retryAfterMaxMs: number;
}

const skippedSchema = z.object({ skipped: z.literal(true) });

/**
 * Sends callbacks to the product. The service secret goes along, so it sends to allowed origins only, connects to allowed addresses only, and
 * follows no redirect. Each callback has a connection of its own, whose address is checked when it is made.
 */
export function createCallbackClient(options: CallbackClientOptions): CallbackClient {
  const allowed = { allowPrivate: options.allowPrivateAddresses };
  const lookup = createCheckedLookup(allowed);

  return {
    async send(urlText, body) {
      const url = URL.canParse(urlText) ? new URL(urlText) : null;
      if (url === null || !/^https?:$/.test(url.protocol)) return { kind: 'refused', error: 'not an http(s) URL' };
      if (!options.allowedOrigins.includes(url.origin)) return { kind: 'refused', error: 'origin not in CALLBACK_ALLOWED_ORIGINS' };
      const host = url.hostname.replace(/^\[|\]$/g, '');
      const problem = isIP(host) === 0 ? null : findAddressProblem(host, allowed);
      if (problem !== null) return { kind: 'refused', error: problem };

      // A user name or password in the URL is not sent: a secret has no place there.
      url.username = '';
      url.password = '';
      const text = Buffer.from(JSON.stringify(body));
      return await post({ url, text, lookup, signal: AbortSignal.timeout(options.timeoutMs) }, options);
    },
  };
}

interface Post {
  url: URL;
  text: Buffer;
  lookup: ReturnType<typeof createCheckedLookup>;
  signal: AbortSignal;
}

const post = async (
  { url, text, lookup, signal }: Post,
  { serviceSecret, answerBytesMax, retryAfterMaxMs, timeoutMs }: CallbackClientOptions,
): Promise<CallbackReply> =>
  await new Promise((resolve) => {
    const fail = (error: unknown): void => resolve(signal.aborted ? noAnswer(`no answer within ${timeoutMs} ms`) : toReply(error));
    const request = url.protocol === 'https:' ? requestHttps : requestHttp;
    const headers = {
      'content-type': 'application/json',
      'content-length': text.byteLength,
      'accept-encoding': 'identity',
      'user-agent': 'yardmaster',
      ...(serviceSecret === null ? {} : { 'x-gh-service-key': serviceSecret.unredacted() }),
    };
    const sent = request(url, { method: 'POST', agent: false, lookup, signal, headers }, (response) => {
      sent.off('close', fail);
      readAnswer(response, answerBytesMax).then((answer) => resolve(judge(response, answer, retryAfterMaxMs)), fail);
    });
    sent.on('error', fail);
    // Without an answer and without an error: the receiver has changed to another protocol, unasked.
    sent.once('close', fail);
    sent.end(text);
  });

const toReply = (error: unknown): CallbackReply => {
  if (error instanceof AddressNotAllowed) return { kind: 'refused', error: error.message };
  const code: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'code') : undefined;
  return noAnswer(typeof code === 'string' ? code : 'the connection failed');
};

const noAnswer = (error: string): CallbackReply => ({ kind: 'failed', error, status: null, retryAfterMs: null });

/** Null when it is longer than allowed; what it says is then of no interest. */
const readAnswer = async (response: IncomingMessage, bytesMax: number): Promise<string | null> => {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    // Leaving the loop closes the connection.
    if (bytes > bytesMax) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
};

const judge = ({ statusCode: status = 0, headers }: IncomingMessage, answer: string | null, retryAfterMaxMs: number): CallbackReply => {
  if (status >= 200 && status < 300)
    return answer !== null && skippedSchema.safeParse(parseJson(answer)).success ? { kind: 'skipped' } : { kind: 'accepted' };
  const error = status >= 300 && status < 400 ? `HTTP ${status}: redirects are not followed` : `HTTP ${status}`;
  const answered = { retryAfter: headers['retry-after'], date: headers.date };
  return { kind: 'failed', error, status, retryAfterMs: readRetryAfterMs(answered, { now: new Date(), maxMs: retryAfterMaxMs }) };
};
