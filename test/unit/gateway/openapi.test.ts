import { z } from 'zod';
import packageJson from '../../../package.json';
import { answerExamples } from '../../../src/gateway/answer-examples';
import { pathTemplate, type Endpoint } from '../../../src/gateway/endpoint';
import { endpointNames, endpoints } from '../../../src/gateway/endpoints';
import { makeOpenApiDocument } from '../../../src/gateway/openapi';
import { docsPage } from '../../../src/gateway/docs-page';

const document = makeOpenApiDocument('https://yard.test');
const text = JSON.stringify(document);
const refSchema = z.object({ $ref: z.string().optional() });
const headersSchema = z.object({ headers: z.record(z.string(), z.unknown()) });

it('is OpenAPI 3.1 of the version of package.json, with every endpoint and no other', () => {
  expect(document.openapi).toBe('3.1.0');
  expect(document.info.version).toBe(packageJson.version);
  const described = Object.entries(document.paths ?? {}).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method} ${path}`),
  );
  const there = endpointNames.map((name) => `${endpoints[name].method} ${pathTemplate(endpoints[name].path)}`);
  expect(described.toSorted()).toEqual(there.toSorted());
});

it('points at nothing that is not in it', () => {
  const names = new Set(
    Object.entries(document.components ?? {}).flatMap(([kind, components]) =>
      Object.keys(components as object).map((name) => `#/components/${kind}/${name}`),
    ),
  );
  const pointers = [...text.matchAll(/"\$ref":"([^"]+)"/g)].map(([, pointer]) => pointer);
  expect(pointers.length).toBeGreaterThan(20);
  expect(pointers.filter((pointer) => !names.has(pointer ?? ''))).toEqual([]);
});

it('gives each operation a name of its own, a summary, a first success or the 501 of what we do not do, and, unless it is a probe, a 429', () => {
  for (const name of endpointNames.filter((each) => !['livez', 'readyz', 'health'].includes(each))) {
    const { path, method } = endpoints[name];
    const operation = document.paths?.[pathTemplate(path)]?.[method];
    expect(operation).toMatchObject({ operationId: name, summary: expect.any(String), responses: { 429: expect.any(Object) } });
    expect(Object.keys(operation?.responses ?? {}).some((status) => status.startsWith('2') || status === '501')).toBe(true);
  }
});

it('shows an answer of each kind, as its schema reads it', () => {
  const named = endpointNames.flatMap((name) => {
    const endpoint: Endpoint = endpoints[name];
    return Object.entries(endpoint.answers).map(([status, answer]) => ({
      name,
      status,
      isJson: answer.contentType?.includes('json') !== false,
      ...answer,
    }));
  });
  for (const { name, status, schema, isJson } of named.filter((answer) => answer.isJson && answer.schema !== undefined)) {
    const example = answerExamples[String(schema?.meta()?.id)];
    const where = 'src/gateway/answer-examples.ts';
    expect({ name, status, isJson, where, isRead: schema?.safeParse(example).success }).toEqual({
      name,
      status,
      isJson,
      where,
      isRead: true,
    });
  }
  const used = new Set(named.map(({ schema }) => schema?.meta()?.id));
  expect(Object.keys(answerExamples).filter((id) => !used.has(id))).toEqual([]);
});

it('declares every parameter of a path', () => {
  for (const [path, methods] of Object.entries(document.paths ?? {})) {
    const wanted = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    const declared: unknown[] = Object.values(methods).flatMap((operation: { parameters?: unknown[] }) => operation.parameters ?? []);
    expect(declared).toEqual(expect.arrayContaining(wanted.map((name) => expect.objectContaining({ name, in: 'path', required: true }))));
  }
});

it('has a 404 wherever a machine, a worker or a session may be unknown', () => {
  const paths = Object.keys(document.paths ?? {}).filter((path) => path.includes('{serverId}'));
  const others = ['/worker/drain', '/api/v1/gh/valet/workers/deregister', '/api/v1/gh/valet/sessions/{userId}/{domain}'];
  for (const path of [...paths, ...others]) {
    for (const operation of Object.values(document.paths?.[path] ?? {}))
      expect({ path, operation }).toMatchObject({ operation: { responses: { 404: expect.any(Object) } } });
  }
});

it('asks for a key wherever the table of roles does', () => {
  for (const name of endpointNames) {
    const { path, method } = endpoints[name];
    const security = document.paths?.[pathTemplate(path)]?.[method]?.security ?? [];
    expect({ name, needsKey: security.length > 0 }).toEqual({ name, needsKey: endpoints[name].roles !== 'public' });
  }
});

it("names a browser's session wherever a key of ours opens, and declares each way to say who one is", () => {
  for (const name of endpointNames) {
    const { path, method } = endpoints[name];
    const security = document.paths?.[pathTemplate(path)]?.[method]?.security ?? [];
    const ways = security.flatMap((way) => Object.keys(way));
    expect({ name, hasSession: ways.includes('session') }).toEqual({ name, hasSession: ways.includes('apiKey') });
    expect(Object.keys(document.components?.securitySchemes ?? {})).toEqual(expect.arrayContaining(ways));
  }
  expect(document.components?.securitySchemes?.['session']).toMatchObject({ type: 'apiKey', in: 'cookie', name: 'yardmaster_session' });
});

const parametersOf = (path: string, method: 'get' | 'post'): Record<string, unknown> =>
  Object.fromEntries(
    (document.paths?.[path]?.[method]?.parameters ?? []).flatMap((parameter) => ('name' in parameter ? [[parameter.name, parameter]] : [])),
  );

it('says which parameters are numbers, flags and lists, with their bounds and defaults', () => {
  expect(parametersOf('/v1/jobs', 'get')).toMatchObject({
    limit: { schema: { type: 'integer', minimum: 1, maximum: 200, default: 50 } },
    needsAttention: { schema: { type: 'boolean' } },
    state: { schema: { type: 'array', items: { enum: expect.arrayContaining(['waiting']) } } },
  });
  expect(parametersOf('/v1/jobs/{jobId}/cancel', 'post')).toMatchObject({
    wait: { schema: { type: 'integer', minimum: 0, maximum: 30, default: 2 } },
  });
  expect(parametersOf('/v1/jobs/{jobId}/callbacks/{generation}/{seq}/redeliver', 'post')).toMatchObject({
    generation: { schema: { type: 'integer', minimum: 1, maximum: 1_000_000 } },
  });
  // Neither in prose, nor as text of digits.
  expect(text).not.toMatch(/"description":"[^"]*\d+ to \d+|"pattern":"\^[^"a-z]*\\\\d[^"a-z]*"/);
});

it('has no path that a client cannot fill', () => {
  for (const path of Object.keys(document.paths ?? {})) expect(path).toMatch(/^(\/([\w.-]+|\{\w+\}))+$/);
});

it('names the headers of answers', () => {
  const headersOf = (path: string, method: 'get' | 'post' | 'delete', status: number): string[] => {
    const answer: unknown = document.paths?.[path]?.[method]?.responses?.[status];
    const pointer = refSchema.parse(answer).$ref?.split('/').at(-1);
    const shown = pointer === undefined ? answer : document.components?.responses?.[pointer];
    return Object.keys(headersSchema.parse(shown).headers);
  };
  const always = ['X-Request-Id', 'RateLimit', 'RateLimit-Policy'];
  expect(headersOf('/v1/jobs', 'post', 201)).toEqual([...always, 'Location']);
  expect(headersOf('/v1/jobs', 'post', 401)).toEqual([...always, 'WWW-Authenticate']);
  expect(headersOf('/v1/jobs', 'post', 429)).toEqual([...always, 'Retry-After']);
  expect(headersOf('/deploy/kamal', 'post', 503)).toEqual([...always, 'Retry-After']);
  expect(headersOf('/v1/session', 'post', 201)).toEqual([...always, 'Set-Cookie']);
  // A probe is not counted.
  expect(headersOf('/livez', 'get', 200)).toEqual(['X-Request-Id']);
});

it('refuses unknown fields in its schemas of a job as the gateway does', () => {
  expect(document.components?.schemas?.['SubmitJob']).toMatchObject({
    anyOf: [{ $ref: '#/components/schemas/SubmitApplication' }, { $ref: '#/components/schemas/SubmitOtherJob' }],
  });
  expect(document.components?.schemas?.['SubmitApplication']).toMatchObject({
    type: 'object',
    additionalProperties: false,
    required: expect.arrayContaining(['userId', 'targetUrl', 'profile', 'resume']),
    properties: { priority: { type: 'integer', minimum: 1, maximum: 10, default: 5 } },
  });
});

it('is readable as a page: every endpoint, its examples, and no script', () => {
  const page = docsPage(document);
  for (const name of endpointNames) {
    expect(page).toContain(`<section id="${name}">`);
    expect(page).toContain(endpoints[name].path);
  }
  expect(page).toContain('curl -X POST &quot;https://yard.test/v1/jobs&quot;');
  expect(page).not.toMatch(/<script|style=|onclick|undefined|\[object/i);
});
