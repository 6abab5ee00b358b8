import { OpenAPIRegistry, OpenApiGeneratorV31, extendZodWithOpenApi, type RouteConfig } from '@asteasolutions/zod-to-openapi';
import { z } from 'zod';
import { problems, type ProblemCode } from '../contracts/errors';
import { access } from './access';
import { atmErrorSchema } from './compat/atm-schemas';
import { ghErrorSchema } from './compat/valet-schemas';
import type { Dialect } from './dialect';
import type { Endpoint } from './endpoint';
import { endpointNames, endpoints, type EndpointName } from './endpoints';
import { problemSchema } from './schemas/problem';
import { sessionCookieName } from './sessions';
import { version } from './version';

extendZodWithOpenApi(z);

export type OpenApiDocument = ReturnType<OpenApiGeneratorV31['generateDocument']>;

/** OpenAPI 3.1 of every endpoint, from the schemas that validate. */
export const makeOpenApiDocument = (publicUrl: string): OpenApiDocument => {
  const registry = new OpenAPIRegistry();
  for (const [name, scheme] of Object.entries(securitySchemes)) registry.registerComponent('securitySchemes', name, scheme);
  for (const name of endpointNames) registry.registerPath(describe(name, endpoints[name]));
  return new OpenApiGeneratorV31(registry.definitions).generateDocument({
    openapi: '3.1.0',
    info: {
      title: 'Yardmaster',
      version,
      description:
        'Accepts apply-jobs and gives each to exactly one worker. Errors are problem+json (RFC 9457) with a code of docs/errors.md.',
    },
    servers: [{ url: publicUrl }],
  });
};

const securitySchemes = {
  apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
  bearer: { type: 'http', scheme: 'bearer' },
  deploySecret: { type: 'apiKey', in: 'header', name: 'X-Deploy-Secret' },
  serviceKey: { type: 'apiKey', in: 'header', name: 'X-GH-Service-Key' },
  session: {
    type: 'apiKey',
    in: 'cookie',
    name: sessionCookieName,
    description:
      'What POST /v1/session gives a browser. It acts only from pages of this gateway, with JSON or the header X-Requested-With.',
  },
} as const;

const describe = (name: EndpointName, endpoint: Endpoint): RouteConfig => ({
  operationId: name,
  method: endpoint.method,
  path: endpoint.path.replaceAll(/:(\w+)/g, '{$1}'),
  tags: [endpoint.tag],
  summary: endpoint.summary,
  description: [endpoint.description, rolesLine(name)].filter((line) => line !== undefined).join('\n\n'),
  security: securityOf(name, endpoint),
  request: {
    params: endpoint.params,
    query: endpoint.query,
    headers: endpoint.headers,
    ...(endpoint.body === undefined
      ? {}
      : {
          body: {
            required: endpoint.isBodyOptional !== true,
            content: { 'application/json': { schema: endpoint.body, examples: examplesOf(endpoint) } },
          },
        }),
  },
  responses: { ...ownAnswers(endpoint), ...errorAnswers(name, endpoint) },
});

const rolesLine = (name: EndpointName): string => {
  const roles = access[name];
  return roles === 'public' ? 'Needs no key.' : `Roles: ${roles.join(', ')}.`;
};

const securityOf = (name: EndpointName, { dialect }: Endpoint): Record<string, string[]>[] => {
  const roles = access[name];
  if (roles === 'public') return [];
  if (roles.includes('worker')) return [{ serviceKey: [] }];
  const own: Record<Dialect, Record<string, string[]>[]> = {
    native: [],
    product: [{ serviceKey: [] }],
    atm: [{ deploySecret: [] }, { serviceKey: [] }],
  };
  return [...own[dialect], { apiKey: [] }, { bearer: [] }, { session: [] }];
};

const examplesOf = ({ bodyExamples = {} }: Endpoint): Record<string, { value: object }> =>
  Object.fromEntries(Object.entries(bodyExamples).map(([name, value]) => [name, { value }]));

type Responses = RouteConfig['responses'];

const ownAnswers = ({ answers }: Endpoint): Responses =>
  Object.fromEntries(
    Object.entries(answers)
      .filter(([status, { schema }]) => Number(status) < 400 || schema !== undefined)
      .map(([status, { description, schema, contentType = 'application/json' }]) => [
        status,
        { description, content: { [contentType]: { schema: schema ?? z.unknown() } } },
      ]),
  );

const errorContentOf = {
  native: { 'application/problem+json': { schema: problemSchema } },
  product: { 'application/json': { schema: ghErrorSchema } },
  atm: { 'application/json': { schema: atmErrorSchema } },
} as const;

/** What can go wrong follows from what an endpoint takes and who may use it. */
const errorAnswers = (name: EndpointName, endpoint: Endpoint): Responses => {
  const content = errorContentOf[endpoint.dialect];
  const hasBody = endpoint.body !== undefined;
  const codes: [ProblemCode, boolean][] = [
    ['malformed', hasBody || endpoint.params !== undefined || endpoint.query !== undefined],
    ['unauthorized', access[name] !== 'public'],
    ['forbidden', access[name] !== 'public'],
    ['job_not_found', endpoint.path.includes(':jobId')],
    ['worker_not_found', endpoint.path.includes(':workerId')],
    ['command_not_found', endpoint.path.includes(':commandId')],
    ['deploy_not_found', endpoint.path.includes(':deployId')],
    ['host_not_found', endpoint.path.includes(':serverId')],
    ['too_large', hasBody],
    ['unsupported_media_type', hasBody],
    ['invalid', hasBody],
    ['too_many_requests', true],
    ['internal', true],
    ['unavailable', access[name] !== 'public'],
  ];
  const shown = codes.filter(([code, applies]) => applies && !(String(problems[code].status) in endpoint.answers));
  const own = Object.entries(endpoint.answers).filter(([status, { schema }]) => Number(status) >= 400 && schema === undefined);
  return Object.fromEntries([
    ...own.map(([status, { description }]) => [status, { description, content }]),
    ...shown.map(([code]) => [
      String(problems[code].status),
      { description: `${problems[code].title}. ${problems[code].meaning}`, content },
    ]),
  ]);
};
