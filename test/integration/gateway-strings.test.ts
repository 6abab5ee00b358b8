import { request } from 'node:http';
import { text as textOf } from 'node:stream/consumers';
import { z } from 'zod';
import { atmErrorSchema } from '../../src/gateway/compat/atm-schemas';
import { ghErrorSchema } from '../../src/gateway/compat/valet-schemas';
import type { Endpoint } from '../../src/gateway/endpoint';
import { endpointNames, endpoints, type EndpointName } from '../../src/gateway/endpoints';
import { problemSchema } from '../../src/gateway/schemas/problem';
import { createWorkflowsClient } from '../../src/gateway/workflows-client';
import { withDatabase } from '../support/database';
import { call, startTestGateway, testKeys, type Reply, type TestGateway } from '../support/gateway';
import { withTemporal } from '../support/temporal';

const database = withDatabase();
const temporal = withTemporal();
let gateway: TestGateway;

beforeAll(async () => {
  gateway = await startTestGateway({ pool: database.pool, workflows: createWorkflowsClient(temporal.client, { deadlineMs: 5_000 }) });
});
afterAll(async () => await gateway.stop());

const controlCharacters = ['\0', '\u0007', '\n', '\u007F', '\u0085'];

/** What the other parameters of a path are, all of which take one of these. */
const id = '6f1d2c3b-4a59-4e87-9c0d-1b2a3c4d5e6f';
const plainValues: Readonly<Record<string, string>> = { generation: '1', seq: '1' };

interface Field {
  name: EndpointName;
  where: 'params' | 'query';
  field: string;
}

const fields: Field[] = endpointNames.flatMap((name) => {
  const endpoint: Endpoint = endpoints[name];
  return (['params', 'query'] as const).flatMap((where) =>
    Object.keys(endpoint[where]?.shape ?? {}).map((field) => ({ name, where, field })),
  );
});

/** A key of whoever may do this; GH workers show theirs in a header of its own. */
const headersFor = (name: EndpointName): Record<string, string> => {
  const { roles }: Endpoint = endpoints[name];
  if (roles === 'public') return {};
  if (roles.includes('worker')) return { 'x-gh-service-key': testKeys.service };
  const [role] = roles;
  const keyOf = {
    product: testKeys.product,
    operator: testKeys.operator,
    deployer: testKeys.deployer,
    read_only: testKeys.readOnly,
  } as const;
  return { 'x-api-key': keyOf[role as keyof typeof keyOf] };
};

const send = async ({ name, where, field }: Field, character: string): Promise<Reply> => {
  const endpoint: Endpoint = endpoints[name];
  const value = encodeURIComponent(`a${character}b`);
  const path = endpoint.path.replaceAll(/[:*](\w+)/g, (_match, param: string) =>
    where === 'params' && param === field ? value : (plainValues[param] ?? id),
  );
  const query = where === 'query' ? `?${field}=${value}` : '';
  const { method } = endpoint;
  return await call(`${gateway.url}${path}${query}`, {
    method: method.toUpperCase(),
    ...(method === 'post' ? { json: {} } : {}),
    headers: headersFor(name),
  });
};

/** In the words of the path, and about this field. */
const errorOf = ({ name }: Field, { status, body, text: error }: Reply): { status: number; error: string } => {
  const { dialect }: Endpoint = endpoints[name];
  if (dialect === 'native') return { status, error: JSON.stringify(problemSchema.parse(body).errors?.map(({ path }) => path)) };
  (dialect === 'product' ? ghErrorSchema : atmErrorSchema).parse(body);
  return { status, error };
};

it.each(fields)(
  'a control character in $where of $name, field $field, is refused with 400 that names it, in the words of its path',
  async (field) => {
    for (const character of controlCharacters) {
      expect(errorOf(field, await send(field, character))).toEqual({ status: 400, error: expect.stringContaining(field.field) });
    }
  },
);

const bodyFields: Omit<Field, 'where'>[] = endpointNames.flatMap((name) => {
  const { body }: Endpoint = endpoints[name];
  return body instanceof z.ZodObject ? Object.keys(body.shape).map((field) => ({ name, field })) : [];
});

const lossy = ['9007199254740993', '1e400', '{"__proto__": 1}', '{"a": 1, "a": 1}', String.raw`"\ud800"`, String.raw`["\u0000"]`];

it.each(bodyFields)(
  'JSON in field $field of the body of $name that could not be kept is refused, and the field is named',
  async ({ name, field }) => {
    const { method, path, dialect }: Endpoint = endpoints[name];
    for (const value of lossy) {
      const url = `${gateway.url}${path.replaceAll(/[:*](\w+)/g, (_match, param: string) => plainValues[param] ?? id)}`;
      const reply = await call(url, { method, raw: `{"${field}": ${value}}`, headers: headersFor(name) });
      // ATM has no 422 (atm §1.3), and a machine that nobody knows comes first there.
      expect(reply).toMatchObject({ status: dialect === 'atm' ? 400 : 422, text: expect.stringContaining(field) });
    }
  },
);

/** Of those that act: VALET's client comes as it is, and GH's workers may show their secret there. */
const withoutOtherQueries = endpointNames.filter((name) => {
  const { method, dialect }: Endpoint = endpoints[name];
  return method === 'post' && name !== 'receiveCallback' && (dialect !== 'product' || name === 'workerDrainPage');
});

it.each(withoutOtherQueries)('a query that %s does not read is refused, since it was meant to bound what is done', async (name) => {
  const path = endpoints[name].path.replaceAll(/[:*](\w+)/g, (_match, param: string) => plainValues[param] ?? id);
  const reply = await call(`${gateway.url}${path}?dryRun=true`, { json: {}, headers: headersFor(name) });
  expect(reply).toMatchObject({ status: 400, text: expect.stringContaining('dryRun') });
});

/** As a proxy asks its proxy. */
const askAbsolute = async (target: string): Promise<{ status: number; body: unknown }> =>
  await new Promise((resolve, reject) => {
    const { hostname, port } = new URL(gateway.url);
    const asked = request({ hostname, port, path: target, headers: { 'x-api-key': testKeys.operator } }, (response) => {
      textOf(response).then((body) => resolve({ status: response.statusCode ?? 0, body: JSON.parse(body) as unknown }), reject);
    });
    asked.once('error', reject);
    asked.end();
  });

it.each([
  ['http://x/fleet/1/health', atmErrorSchema],
  ['http://x/fleet/1/any/page', atmErrorSchema],
  ['http://x/fleet/yardmaster/v1/jobs', atmErrorSchema],
  ['http://x/v1/jobs', problemSchema],
  ['http://x/api/v1/gh/models', ghErrorSchema],
])('a request target that names its host, %s, is refused with 400 in the words of its path', async (target, shape) => {
  const { status, body } = await askAbsolute(target);
  expect({ status, body }).toMatchObject({ status: 400 });
  shape.parse(body);
});
