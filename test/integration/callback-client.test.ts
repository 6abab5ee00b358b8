import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { CallbackBody } from '../../src/contracts/callback';
import type { CallbackReply } from '../../src/domain/callback-answer';
import { sensitive } from '../../src/domain/sensitive';
import { createCallbackClient, type CallbackClientOptions } from '../../src/product/callback-client';

const body: CallbackBody = { job_id: 'j1', valet_task_id: 't1', status: 'completed', result_summary: 'déjà vu ✓' };

interface Received {
  method?: string;
  path?: string;
  headers: IncomingMessage['headers'];
  body: unknown;
}

type Answer = (response: ServerResponse) => void;

/** A product that answers as told, and what it received. */
async function withProduct(
  answer: Answer,
  use: (product: { origin: string; port: number; received: Received[] }) => Promise<void>,
): Promise<void> {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      received.push({
        method: request.method,
        path: request.url,
        headers: request.headers,
        body: JSON.parse(Buffer.concat(chunks).toString()),
      });
      answer(response);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The server has no port');
  const { port } = address;
  try {
    await use({ origin: `http://127.0.0.1:${port}`, port, received });
  } finally {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  }
}

const send = async (url: string, options: Partial<CallbackClientOptions> = {}): Promise<CallbackReply> =>
  await createCallbackClient({
    serviceSecret: sensitive('service-secret-1'),
    allowedOrigins: [new URL(url).origin],
    allowPrivateAddresses: true,
    timeoutMs: 30_000,
    answerBytesMax: 1_024,
    retryAfterMaxMs: 3_600_000,
    ...options,
  }).send(url, body);

const failed = (error: string, status: number | null = null, retryAfterMs: number | null = null): CallbackReply => ({
  kind: 'failed',
  error,
  status,
  retryAfterMs,
});

const json =
  (status: number, value: unknown, headers: Record<string, string> = {}): Answer =>
  (response) =>
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value));

it('posts the body as JSON with the key in a header, and nothing of it in the URL', async () => {
  await withProduct(json(200, { received: true }), async ({ origin, received }) => {
    await expect(send(`${origin}/hook?x=1`)).resolves.toEqual({ kind: 'accepted' });
    expect(received).toMatchObject([
      { method: 'POST', path: '/hook?x=1', body, headers: { 'content-type': 'application/json', 'x-gh-service-key': 'service-secret-1' } },
    ]);
  });
});

it('sends no key when there is none, and no user name or password of the URL', async () => {
  await withProduct(json(200, {}), async ({ port, received }) => {
    await send(`http://user:password@127.0.0.1:${port}/`, { serviceSecret: null });
    expect(received[0]?.headers).not.toHaveProperty('x-gh-service-key');
    expect(received[0]?.headers).not.toHaveProperty('authorization');
  });
});

it.each<[string, Answer, CallbackReply]>([
  ['an empty 204 as accepted', (response) => response.writeHead(204).end(), { kind: 'accepted' }],
  ['text as accepted', (response) => response.end('ok'), { kind: 'accepted' }],
  ['{skipped: true} as skipped', json(200, { skipped: true, reason: 'terminal' }), { kind: 'skipped' }],
  ['{skipped: false} as accepted', json(200, { skipped: false }), { kind: 'accepted' }],
  ['skipped with an error status as failed', json(500, { skipped: true }), failed('HTTP 500', 500)],
  ['a refusal as failed', json(401, { secret: 'x' }), failed('HTTP 401', 401)],
  ['too many requests as failed for as long as it says', json(429, {}, { 'retry-after': '30' }), failed('HTTP 429', 429, 30_000)],
  ['a wait of a day as one of an hour', json(503, {}, { 'retry-after': '86400' }), failed('HTTP 503', 503, 3_600_000)],
  [
    'a date as the time to it by the clock of the answer',
    json(503, {}, { date: 'Wed, 01 Jul 2026 12:00:00 GMT', 'retry-after': 'Wed, 01 Jul 2026 12:01:00 GMT' }),
    failed('HTTP 503', 503, 60_000),
  ],
  ['too many requests without a time as failed', json(429, {}), failed('HTTP 429', 429)],
  ['a closed connection as failed', (response) => response.destroy(), failed('ECONNRESET')],
  [
    'another protocol as failed',
    (response) => response.socket?.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n'),
    failed('the connection failed'),
  ],
  ['an answer cut off in the middle as failed', cutOff, failed('ECONNRESET')],
])('takes %s', async (_what, answer, reply) => {
  await withProduct(answer, async ({ origin }) => {
    await expect(send(`${origin}/`)).resolves.toEqual(reply);
  });
});

it('follows no redirect, so the key goes nowhere else', async () => {
  await withProduct(json(200, {}), async (elsewhere) => {
    await withProduct(json(307, {}, { location: `${elsewhere.origin}/stolen` }), async ({ origin }) => {
      await expect(send(`${origin}/`, { allowedOrigins: [origin, elsewhere.origin] })).resolves.toMatchObject({
        kind: 'failed',
        error: expect.stringContaining('307'),
      });
    });
    expect(elsewhere.received).toEqual([]);
  });
});

it('stops reading an endless answer', async () => {
  let written = 0;
  const endless: Answer = (response) => {
    const more = (): void => {
      written += 64;
      if (!response.destroyed) response.write('x'.repeat(64), more);
    };
    more();
  };
  await withProduct(endless, async ({ origin }) => {
    await expect(send(`${origin}/`)).resolves.toEqual({ kind: 'accepted' });
  });
  expect(written).toBeLessThan(10_000_000);
});

it.each<[string, Answer]>([
  ['never answers', () => undefined],
  ['answers a byte at a time for ever', drip],
])('gives up after the whole time when the product %s', async (_how, answer) => {
  await withProduct(answer, async ({ origin }) => {
    await expect(send(`${origin}/`, { timeoutMs: 300 })).resolves.toEqual(failed('no answer within 300 ms'));
  });
});

describe('the address', () => {
  it.each<[string, (port: number) => string, RegExp]>([
    ['loopback', (port) => `http://127.0.0.1:${port}/`, /loopback/],
    ['a name that resolves to loopback', (port) => `http://localhost:${port}/`, /no allowed address/],
    ['loopback as a number', (port) => `http://2130706433:${port}/`, /loopback/],
    ['loopback as mapped IPv6', (port) => `http://[::ffff:127.0.0.1]:${port}/`, /loopback/],
  ])('refuses %s for good unless private addresses are allowed', async (_what, url, error) => {
    await withProduct(json(200, {}), async ({ port, received }) => {
      const refused = await send(url(port), { allowPrivateAddresses: false });
      expect(refused).toEqual({ kind: 'refused', error: expect.stringMatching(error) });
      expect(received).toEqual([]);
    });
  });

  it('reaches a private name when private addresses are allowed', async () => {
    await withProduct(json(200, {}), async ({ port }) => {
      await expect(send(`http://localhost:${port}/`)).resolves.toEqual({ kind: 'accepted' });
    });
  });

  it.each([
    ['an origin that is not allowed', 'https://other.example/hook'],
    ['another port of an allowed origin', 'https://valet.example:8443/hook'],
    ['an allowed host without TLS', 'http://valet.example/hook'],
    ['a name that ends like an allowed one', 'https://valet.example.evil.example/hook'],
    ['a file', 'file:///etc/passwd'],
    ['what is no URL', 'valet.example/hook'],
  ])('refuses %s', async (_what, url) => {
    const client = createCallbackClient({
      serviceSecret: null,
      allowedOrigins: ['https://valet.example'],
      allowPrivateAddresses: false,
      timeoutMs: 1_000,
      answerBytesMax: 1_024,
      retryAfterMaxMs: 3_600_000,
    });
    await expect(client.send(url, body)).resolves.toMatchObject({ kind: 'refused' });
  });

  it('fails, and may be tried again, when nobody listens or the name is unknown', async () => {
    await expect(send('http://127.0.0.1:1/')).resolves.toEqual(failed('ECONNREFUSED'));
    await expect(send('http://nobody.invalid/')).resolves.toMatchObject({
      kind: 'failed',
      error: expect.stringMatching(/^E(NOTFOUND|AI_AGAIN)$/),
    });
  });
});

function cutOff(response: ServerResponse): void {
  response.writeHead(200, { 'content-length': '100' });
  response.write('{"skipped"', () => response.destroy());
}

function drip(response: ServerResponse): void {
  const more = setInterval(() => response.write(' '), 20);
  response.on('close', () => clearInterval(more));
}
