import packageJson from '../../../package.json';
import { access } from '../../../src/gateway/access';
import { endpointNames, endpoints } from '../../../src/gateway/endpoints';
import { makeOpenApiDocument } from '../../../src/gateway/openapi';
import { docsPage } from '../../../src/gateway/docs-page';

const document = makeOpenApiDocument('https://yard.test');
const text = JSON.stringify(document);

it('is OpenAPI 3.1 of the version of package.json, with every endpoint and no other', () => {
  expect(document.openapi).toBe('3.1.0');
  expect(document.info.version).toBe(packageJson.version);
  const described = Object.entries(document.paths ?? {}).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method} ${path}`),
  );
  const there = endpointNames.map((name) => `${endpoints[name].method} ${endpoints[name].path.replaceAll(/:(\w+)/g, '{$1}')}`);
  expect(described.toSorted()).toEqual(there.toSorted());
});

it('points at nothing that is not in it', () => {
  const names = new Set(Object.keys(document.components?.schemas ?? {}).map((name) => `#/components/schemas/${name}`));
  const pointers = [...text.matchAll(/"\$ref":"([^"]+)"/g)].map(([, pointer]) => pointer);
  expect(pointers.length).toBeGreaterThan(20);
  expect(pointers.filter((pointer) => !names.has(pointer ?? ''))).toEqual([]);
});

it('gives each operation a name of its own, a summary, a 429, and a first success or the 501 of what we do not do', () => {
  for (const name of endpointNames) {
    const { path, method } = endpoints[name];
    const operation = document.paths?.[path.replaceAll(/:(\w+)/g, '{$1}')]?.[method];
    expect(operation).toMatchObject({ operationId: name, summary: expect.any(String), responses: { 429: expect.any(Object) } });
    expect(Object.keys(operation?.responses ?? {}).some((status) => status.startsWith('2') || status === '501')).toBe(true);
  }
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
    const security = document.paths?.[path.replaceAll(/:(\w+)/g, '{$1}')]?.[method]?.security ?? [];
    expect({ name, needsKey: security.length > 0 }).toEqual({ name, needsKey: access[name] !== 'public' });
  }
});

it("names a browser's session wherever a key of ours opens, and declares each way to say who one is", () => {
  for (const name of endpointNames) {
    const { path, method } = endpoints[name];
    const security = document.paths?.[path.replaceAll(/:(\w+)/g, '{$1}')]?.[method]?.security ?? [];
    const ways = security.flatMap((way) => Object.keys(way));
    expect({ name, hasSession: ways.includes('session') }).toEqual({ name, hasSession: ways.includes('apiKey') });
    expect(Object.keys(document.components?.securitySchemes ?? {})).toEqual(expect.arrayContaining(ways));
  }
  expect(document.components?.securitySchemes?.['session']).toMatchObject({ type: 'apiKey', in: 'cookie', name: 'yardmaster_session' });
});

it('refuses unknown fields in its schema of a job as the gateway does', () => {
  expect(document.components?.schemas?.['SubmitJob']).toMatchObject({
    type: 'object',
    additionalProperties: false,
    required: expect.arrayContaining(['userId', 'targetUrl']),
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
