import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { once } from 'node:events';
import { gzipSync } from 'node:zlib';
import { submitJobExamples } from '../../src/gateway/examples';
import { createWorkflowsClient } from '../../src/gateway/workflows-client';
import { problemSchema } from '../../src/gateway/schemas/problem';
import { withDatabase } from '../support/database';
import { call, startTestGateway, testKeys, type Reply, type TestGateway } from '../support/gateway';
import { withTemporal } from '../support/temporal';

const database = withDatabase();
const temporal = withTemporal();
let gateway: TestGateway;

beforeAll(async () => {
  gateway = await startTestGateway({ pool: database.pool, workflows: createWorkflowsClient(temporal.client, { deadlineMs: 30_000 }) });
});
afterAll(async () => await gateway.stop());

afterEach(async () => {
  // Nothing of what is refused may be written, anywhere.
  const { rows } = await database.pool.query<{ written: number }>(
    `select ((select count(*) from yardmaster.job) + (select count(*) from gh_automation_jobs) + (select count(*) from yardmaster.job_transition)
       + (select count(*) from yardmaster.received_callback) + (select count(*) from yardmaster.host_hold))::int as written`,
  );
  if (rows[0]?.written !== 0) throw new Error(`${rows[0]?.written} rows were written by a request that was refused`);
});

const application = submitJobExamples['an application'];
const otherKind = submitJobExamples['another kind of job'];
const post = async (json: unknown, headers: Record<string, string> = {}): Promise<Reply> =>
  await call(`${gateway.url}/v1/jobs`, { key: testKeys.product, json, headers });

const problemOf = ({ body, headers }: Reply): ReturnType<typeof problemSchema.parse> => {
  expect(headers.get('content-type')).toMatch('application/problem+json');
  return problemSchema.parse(body);
};

describe('a body', () => {
  it.each<[string, unknown, string]>([
    ['an unknown field', { ...application, colour: 'red' }, 'colour'],
    ['an unknown field deep inside', { ...application, profile: { ...application.profile, shoeSize: 42 } }, 'profile.shoeSize'],
    ['an unknown field named like a prototype', JSON.parse('{"__proto__": {"a": 1}, "userId": "x"}'), '__proto__'],
    ['a number as text', { ...application, priority: '3' }, 'priority'],
    ['a priority out of range', { ...application, priority: 11 }, 'priority'],
    ['a fraction', { ...application, timeoutSeconds: 60.5 }, 'timeoutSeconds'],
    ['a time-out that is too short', { ...application, timeoutSeconds: 29 }, 'timeoutSeconds'],
    ['a time-out that is too long', { ...application, timeoutSeconds: 3601 }, 'timeoutSeconds'],
    ['too many attempts', { ...application, maxAttempts: 6 }, 'maxAttempts'],
    ['no user', { ...application, userId: undefined }, 'userId'],
    ['a malformed UUID', { ...application, userId: '42' }, 'userId'],
    ['no address', { ...application, targetUrl: undefined }, 'targetUrl'],
    ['an address that is none', { ...application, targetUrl: 'acme jobs' }, 'targetUrl'],
    ['a file as address', { ...application, targetUrl: 'file:///etc/passwd' }, 'targetUrl'],
    ['a script as address', { ...application, targetUrl: 'javascript:alert(1)' }, 'targetUrl'],
    ['a password in the address', { ...application, targetUrl: 'https://user:pw@acme.test/' }, 'targetUrl'],
    ['an address that is too long', { ...application, targetUrl: `https://acme.test/${'a'.repeat(2048)}` }, 'targetUrl'],
    ['an unknown kind of job', { ...application, jobType: 'dance' }, 'jobType'],
    ['an application without a person', { ...application, profile: undefined }, 'profile'],
    ['an application without a résumé', { ...application, resume: undefined }, 'resume'],
    ['a résumé that is nowhere', { ...application, resume: {} }, 'resume'],
    ['an e-mail address that is none', { ...application, profile: { ...application.profile, email: 'ada' } }, 'profile.email'],
    ['an answer that is no text', { ...application, answers: { 'Yes?': true } }, 'answers.Yes?'],
    ['free inputs for an application', { ...application, inputData: {} }, 'inputData'],
    ['another kind of job without a description', { ...otherKind, taskDescription: undefined }, 'taskDescription'],
    ['another kind of job with a profile', { ...otherKind, profile: application.profile }, 'profile'],
    ['a callback address of another scheme', { ...application, callbackUrl: 'ftp://valet.test/' }, 'callbackUrl'],
    ['a callback to a foreign origin', { ...application, callbackUrl: 'https://valet.test.evil.test/' }, 'callbackUrl'],
    ['a worker without an id', { ...application, worker: { affinity: 'strict' } }, 'worker.id'],
    ['an affinity that there is not', { ...application, worker: { id: 'w', affinity: 'loose' } }, 'worker.affinity'],
    ['NUL in a text', { ...application, taskId: 'a\u0000b' }, 'taskId'],
    ['NUL in free data', { ...application, metadata: { a: [{ b: '\u0000' }] } }, 'metadata.a.0.b'],
    ['half a character', { ...application, metadata: { a: '\ud800' } }, 'metadata.a'],
    ['a list instead of an object', [application], ''],
  ])('with %s is refused with 422, and the field is named', async (_what, json, path) => {
    const reply = await post(json);
    const problem = problemOf(reply);
    expect(reply.status).toBe(422);
    expect(problem).toMatchObject({ code: 'invalid', status: 422, instance: '/v1/jobs' });
    expect(problem.errors?.map((error) => error.path)).toContain(path);
    expect(problem.detail.length).toBeGreaterThan(5);
  });

  it('that is nested without end is refused, not followed', async () => {
    const raw = `{"metadata": ${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}}`;
    expect(await call(`${gateway.url}/v1/jobs`, { key: testKeys.product, raw })).toMatchObject({ status: 422, body: { code: 'invalid' } });
  });

  it('with thousands of unknown fields gets a short answer', async () => {
    const reply = await post(Object.fromEntries(Array.from({ length: 5_000 }, (_item, index) => [`x${index}`, 1])));
    expect(reply.status).toBe(422);
    expect(reply.text.length).toBeLessThan(10_000);
    expect(reply.body.detail).toMatch(/and \d+ more/);
  });

  it.each(['null', '"x"', '42'])('that is no object but %s is refused as a list is', async (raw) => {
    const reply = await call(`${gateway.url}/v1/jobs`, { key: testKeys.product, raw });
    expect(problemOf(reply)).toMatchObject({ status: 422, code: 'invalid', errors: [{ path: '' }] });
  });

  it.each([
    ['broken JSON', '{"userId": '],
    ['a bare word', 'hello'],
    ['two values', '{} {}'],
  ])('that is %s is refused with 400', async (_what, raw) => {
    const reply = await call(`${gateway.url}/v1/jobs`, { key: testKeys.product, raw });
    expect(reply.status).toBe(400);
    expect(problemOf(reply)).toMatchObject({ code: 'malformed', detail: 'The body is not valid JSON' });
  });

  it('that is missing is refused with 400', async () => {
    const reply = await call(`${gateway.url}/v1/jobs`, { key: testKeys.product, method: 'POST' });
    expect(problemOf(reply)).toMatchObject({ status: 400, code: 'malformed', detail: expect.stringMatching('missing') });
  });

  it('over the limit is refused with 413 that says the limit, compressed or not', async () => {
    const large = JSON.stringify({ ...application, metadata: { blob: 'x'.repeat(300_000) } });
    const plain = await call(`${gateway.url}/v1/jobs`, { key: testKeys.product, raw: large });
    expect(problemOf(plain)).toMatchObject({ status: 413, code: 'too_large', detail: expect.stringMatching('262144') });
    const packed = await fetch(`${gateway.url}/v1/jobs`, {
      method: 'POST',
      body: gzipSync(large),
      headers: { 'x-api-key': testKeys.product, 'content-type': 'application/json', 'content-encoding': 'gzip' },
    });
    expect(packed.status).toBe(413);
  });

  it.each([
    ['text/plain', undefined],
    ['application/x-www-form-urlencoded', undefined],
    ['application/json; charset=latin1', undefined],
    ['application/json', 'zstd'],
  ])('of type %s and encoding %s is refused with 415', async (type, encoding) => {
    const reply = await post(application, { 'content-type': type, ...(encoding === undefined ? {} : { 'content-encoding': encoding }) });
    expect(problemOf(reply)).toMatchObject({ status: 415, code: 'unsupported_media_type' });
  });

  it('never comes back in the answer: it may be personal', async () => {
    const reply = await post({
      ...application,
      profile: { firstName: 7, email: 'secret-person', phone: ['+44 123'] },
      targetUrl: 'x:secret',
    });
    expect(reply.status).toBe(422);
    expect(reply.text).not.toMatch(/secret|\+44/);
  });
});

describe('a key', () => {
  it.each([
    ['no key', {}],
    ['an unknown key', { 'x-api-key': 'guess' }],
    ['an empty key', { 'x-api-key': '' }],
    ['an unknown bearer', { authorization: 'Bearer guess' }],
    ['another scheme', { authorization: `Basic ${testKeys.product}` }],
    ["the product's header on a native path", { 'x-gh-service-key': testKeys.service }],
    ['a wrong key beside a right bearer', { 'x-api-key': 'guess', authorization: `Bearer ${testKeys.product}` }],
  ])('that is %s is refused with 401, before the body is looked at', async (_what, headers) => {
    const reply = await call(`${gateway.url}/v1/jobs`, { raw: 'not json', headers });
    expect(problemOf(reply)).toMatchObject({ status: 401, code: 'unauthorized' });
    expect(reply.headers.get('www-authenticate')).toBe('Bearer');
  });

  it.each([
    ['read_only', testKeys.readOnly, '/v1/jobs'],
    ['deployer', testKeys.deployer, '/v1/jobs'],
    ['product', testKeys.product, '/v1/pause'],
    ['read_only', testKeys.readOnly, '/v1/unpause'],
    ['read_only', testKeys.readOnly, `/v1/jobs/${randomUUID()}/callbacks/1/1/redeliver`],
  ])('of the role %s is refused with 403 that names the role: %s %s', async (role, key, path) => {
    const reply = await call(`${gateway.url}${path}`, { key, json: {} });
    expect(problemOf(reply)).toMatchObject({ status: 403, code: 'forbidden', detail: expect.stringMatching(role) });
  });

  it('is taken from Authorization: Bearer too', async () => {
    expect((await call(`${gateway.url}/v1/jobs`, { headers: { authorization: `Bearer ${testKeys.readOnly}` } })).status).toBe(200);
  });
});

describe('a path or query', () => {
  it.each([
    ['/v1/jobs/not-a-uuid', 'jobId'],
    ['/v1/jobs?limit=0', 'limit'],
    ['/v1/jobs?limit=201', 'limit'],
    ['/v1/jobs?limit=ten', 'limit'],
    ['/v1/jobs?state=sleeping', 'state'],
    ['/v1/jobs?state=waiting&state=sleeping', 'state'],
    ['/v1/jobs?limit=1&limit=2', 'limit'],
    ['/v1/jobs?userId=42', 'userId'],
    ['/v1/jobs?needsAttention=yes', 'needsAttention'],
    ['/v1/jobs?colour=red', 'colour'],
    ['/v1/jobs?cursor=', 'cursor'],
  ])('%s is refused with 400 that names %s', async (path, name) => {
    const problem = problemOf(await call(`${gateway.url}${path}`, { key: testKeys.readOnly }));
    expect(problem).toMatchObject({ status: 400, code: 'malformed' });
    expect(problem.errors?.map((error) => error.path)).toEqual([name]);
  });

  it('with a broken escape is refused with 400', async () => {
    expect(problemOf(await call(`${gateway.url}/v1/jobs/%zz`, { key: testKeys.readOnly }))).toMatchObject({
      status: 400,
      code: 'malformed',
    });
  });

  it('that nothing is at gets 404, and a wrong method 405 with what is possible', async () => {
    expect(problemOf(await call(`${gateway.url}/v2/jobs`, { key: testKeys.readOnly }))).toMatchObject({ status: 404, code: 'not_found' });
    const reply = await call(`${gateway.url}/v1/jobs`, { key: testKeys.operator, method: 'DELETE' });
    expect(problemOf(reply)).toMatchObject({ status: 405, code: 'method_not_allowed' });
    expect(reply.headers.get('allow')).toBe('POST, GET, HEAD');
  });

  it.each(['x'.repeat(256), 'ä', ''])('an Idempotency-Key like "%s" is refused with 400', async (key) => {
    const reply = await post(application, { 'idempotency-key': key });
    expect(problemOf(reply)).toMatchObject({ status: 400, detail: expect.stringMatching('idempotency-key') });
  });
});

describe('a request id', () => {
  it.each(['ok-1', 'a.b:c_D'])('%s is taken over', async (id) => {
    expect((await call(`${gateway.url}/livez`, { headers: { 'x-request-id': id } })).headers.get('x-request-id')).toBe(id);
  });

  it.each(['', 'a b', 'x'.repeat(129), '{"a":1}', '-x'])('"%s" is replaced', async (id) => {
    const given = (await call(`${gateway.url}/livez`, { headers: { 'x-request-id': id } })).headers.get('x-request-id');
    expect(given).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('stands in the problem and in the log', async () => {
    const reply = await call(`${gateway.url}/v1/jobs/x`, { key: testKeys.readOnly, headers: { 'x-request-id': 'find-me' } });
    expect(reply.body.requestId).toBe('find-me');
    expect(gateway.logLines.some((line) => line.includes('find-me') && line.includes('"status":400'))).toBe(true);
  });
});

it('survives what is no HTTP at all', async () => {
  const { port } = new URL(gateway.url);
  const socket = connect(Number(port), '127.0.0.1');
  socket.end('\u0000\u0001 nonsense\r\n\r\n').resume();
  await once(socket, 'close');
  expect((await call(`${gateway.url}/livez`)).status).toBe(200);
});
