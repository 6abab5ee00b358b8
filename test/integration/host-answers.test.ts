import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Server as TcpServer } from 'node:net';
import { limits } from '../../src/contracts/limits';
import { createHostClient } from '../../src/ghosthands/client';

const host = '10.0.0.1';
const status = { worker_id: 'w', active_jobs: 0, is_running: true, is_draining: false, dispatch_mode: 'legacy', uptime_ms: 1 };

const servers: (Server | TcpServer)[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    if ('closeAllConnections' in server) server.closeAllConnections();
    server.close();
  }
});

/** A client whose host is this server; `timeoutMs` as in life unless the test has to wait for it. */
const clientOf = async (server: Server | TcpServer, timeoutMs: number = limits.probeTimeoutMs) => {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- It listens on a port.
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return createHostClient({
    addressMap: { [host]: { api: url, worker: url } },
    timeoutMs,
    answerBytesMax: limits.probeAnswerBytesMax,
    serviceSecret: null,
  });
};
const answering = (listener: RequestListener): Server => createServer(listener);

test('a host that says more than its status is read all the same', async () => {
  const client = await clientOf(answering((_request, response) => response.end(JSON.stringify({ ...status, more: 'words' }))));
  expect(await client.readWorkerPort(host)).toEqual({ kind: 'answers', status });
});

test('a host is asked at its one address, in whatever spelling it is named', async () => {
  const client = await clientOf(answering((_request, response) => response.end(JSON.stringify(status))));
  for (const spelling of ['010.0.0.001', '::FFFF:10.0.0.1'])
    expect(await client.readWorkerPort(spelling)).toEqual({ kind: 'answers', status });
});

test('a host that answers megabytes is cut off, long before it is through', async () => {
  let sent = 0;
  let isCut = false;
  const client = await clientOf(
    answering((_request, response) => {
      const more = (): void => {
        if (response.destroyed) {
          isCut = true;
          return;
        }
        sent += 65_536;
        if (sent > 50_000_000) response.end();
        else if (response.write('x'.repeat(65_536))) setImmediate(more);
        else response.once('drain', more);
      };
      response.on('close', () => {
        isCut = true;
      });
      more();
    }),
  );
  expect(await client.readWorkerPort(host)).toEqual({ kind: 'silent', problem: `more than ${limits.probeAnswerBytesMax} bytes` });
  expect(await client.readApi(host)).toEqual({ isUp: false, imageTag: null });
  expect(isCut).toBe(true);
  expect(sent).toBeLessThan(50_000_000);
});

const otherProtocol = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n';
const breaks = 'its status breaks our expectations';
test.each<[string, RequestListener, string]>([
  ['HTML', (_request, response) => response.end('<html>502 Bad Gateway</html>'), 'its answer is no JSON (HTTP 200)'],
  ['an empty body', (_request, response) => response.writeHead(404).end(), 'its answer is no JSON (HTTP 404)'],
  ['another place', (_request, response) => response.writeHead(302, { location: '/' }).end(), 'its answer is no JSON (HTTP 302)'],
  ['a list', (_request, response) => response.end('[]'), `${breaks}: it is no object`],
  ['null', (_request, response) => response.end('null'), `${breaks}: it is no object`],
  ['half of a status', (_request, response) => response.end('{"worker_id":"w"'), 'its answer is no JSON (HTTP 200)'],
  ['a number for a name', (_request, response) => response.end(JSON.stringify({ ...status, worker_id: 7 })), `${breaks}: worker_id`],
  ['a negative uptime', (_request, response) => response.end(JSON.stringify({ ...status, uptime_ms: -1 })), `${breaks}: uptime_ms`],
  ['by closing', (request) => request.socket.destroy(), 'it broke the connection off'],
  ['in another protocol', (request) => request.socket.end('SSH-2.0-OpenSSH_9.6\r\n'), 'its answer is no HTTP'],
  ['by asking for another protocol', (request) => request.socket.end(otherProtocol), 'its answer is no HTTP'],
  ['with what is no final answer', (request) => request.socket.end('HTTP/1.1 101 ?\r\n\r\n'), 'its answer is no HTTP'],
  ['without a status', (request) => request.socket.end('HTTP/1.1 000 ?\r\nContent-Length: 2\r\n\r\n{}'), 'its answer is no HTTP'],
])('a host that answers %s proves nothing, and its problem can be read', async (_what, listener, problem) => {
  expect(await (await clientOf(answering(listener))).readWorkerPort(host)).toEqual({ kind: 'silent', problem });
});

test.each<[what: string, field: string, value: unknown]>([
  ['an id with a NUL', 'worker_id', 'w\u0000'],
  ['an id with half of a character', 'worker_id', 'w\ud83d'],
  ['an id longer than any', 'worker_id', 'w'.repeat(256)],
  ['a mode with a NUL', 'dispatch_mode', 'legacy\u0000'],
  ['a mode of a page of text', 'dispatch_mode', 'x'.repeat(5_000)],
  ['more jobs than Postgres counts', 'active_jobs', 2 ** 31],
  ['fewer jobs than none', 'active_jobs', -1],
  ['an uptime beyond all time', 'uptime_ms', 1e300],
])('a host that tells %s proves nothing, and the field is named', async (_what, field, value) => {
  const client = await clientOf(answering((_request, response) => response.end(JSON.stringify({ ...status, [field]: value }))));
  expect(await client.readWorkerPort(host)).toEqual({ kind: 'silent', problem: `its status breaks our expectations: ${field}` });
});

test.each<[string, () => Server | TcpServer]>([
  ['accepts and says nothing', () => createTcpServer(() => {})],
  ['sends its headers and then nothing', () => answering((_request, response) => response.writeHead(200).write('{'))],
  [
    'sends a byte now and then',
    () =>
      answering((_request, response) => {
        const timer = setInterval(() => response.write(' '), 50);
        response.on('close', () => clearInterval(timer));
      }),
  ],
])('a host that %s is given up in time', async (_what, createIt) => {
  const client = await clientOf(createIt(), 300);
  expect(await client.readWorkerPort(host)).toEqual({ kind: 'silent', problem: 'no whole answer within 0.3 s' });
  expect(await client.readApi(host)).toEqual({ isUp: false, imageTag: null });
});

test.each<[string, object, string | null]>([
  ['its image', { service: 'ghosthands', image_tag: 'staging-1a2b3c4' }, 'staging-1a2b3c4'],
  ['no image', { service: 'ghosthands' }, null],
  ['a number for its image', { image_tag: 7 }, null],
  ['an image of a page of text', { image_tag: 'x'.repeat(10_000) }, null],
  ['an image that no text of Postgres can hold', { image_tag: 'v\u0000' }, null],
  ['that it has no such page', { error: 'not_found' }, null],
])('an API that tells %s is up', async (_what, body, imageTag) => {
  const client = await clientOf(answering((_request, response) => response.end(JSON.stringify(body))));
  expect(await client.readApi(host)).toEqual({ isUp: true, imageTag });
});

test.each([
  ['text/html; charset=utf-8', 'text/html; charset=utf-8'],
  ['\u00E9/x', null],
  ['a page', null],
])('a page of the type %j is passed on as %j', async (given, contentType) => {
  const client = await clientOf(answering((_request, response) => response.writeHead(200, { 'content-type': given }).end('x')));
  expect(await client.getPage(host, 'api', '/')).toEqual({ kind: 'body', status: 200, contentType, text: 'x' });
});

test('a port where nothing listens refuses, which is another thing', async () => {
  const server = answering(() => {});
  const client = await clientOf(server);
  await new Promise<void>((resolve) => void server.close(() => resolve()));
  expect(await client.readWorkerPort(host)).toEqual({ kind: 'refused' });
});

test.each(['unknown', '', "o'host", 'host name', '10.0.0.1:3101/x?'])('nobody is asked at %j, which is no address', async (address) => {
  const client = createHostClient({ addressMap: {}, timeoutMs: 300, answerBytesMax: 1_000, serviceSecret: null });
  expect(await client.readWorkerPort(address)).toMatchObject({ kind: 'silent', problem: `not an address: ${address}` });
});
