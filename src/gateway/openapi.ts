import { OpenAPIRegistry, OpenApiGeneratorV31, extendZodWithOpenApi, type RouteConfig } from '@asteasolutions/zod-to-openapi';
import { z } from 'zod';
import { answerExamples } from './answer-examples';
import type { Dialect } from './dialect';
import { pathTemplate, type DescribedAnswer, type Endpoint } from './endpoint';
import { endpointNames, endpoints, type EndpointName } from './endpoints';
import { errorContent, errorContentOf, errorSchemas, listErrors, sharedErrorName } from './openapi-errors';
import { isUncounted } from './middleware/rate-limit';
import { answerHeaders, headersOf } from './openapi-headers';
import { sessionCookieName } from './sessions';
import { tags } from './tags';
import { version } from './version';

extendZodWithOpenApi(z);

export type OpenApiDocument = ReturnType<OpenApiGeneratorV31['generateDocument']>;

/** OpenAPI 3.1 of every endpoint, from the schemas that validate. */
export const makeOpenApiDocument = (publicUrl: string): OpenApiDocument => {
  const registry = new OpenAPIRegistry();
  for (const [name, scheme] of Object.entries(securitySchemes)) registry.registerComponent('securitySchemes', name, scheme);
  for (const [name, header] of Object.entries(answerHeaders)) registry.registerComponent('headers', name, header);
  for (const [name, response] of sharedErrors()) registry.registerComponent('responses', name, response);
  for (const name of endpointNames) registry.registerPath(describe(name, endpoints[name]));
  // By hand: these schemas were made before zod was extended, and `register` calls what that adds.
  const schemas = errorSchemas.map((schema) => ({ type: 'schema' as const, schema }));
  return new OpenApiGeneratorV31([...schemas, ...registry.definitions]).generateDocument({
    openapi: '3.1.0',
    info: {
      title: 'Yardmaster',
      version,
      description:
        'Accepts apply-jobs and gives each to exactly one worker. Errors are problem+json (RFC 9457) with a code of docs/errors.md.',
      contact: { name: 'The operators of this Yardmaster', url: new URL('/docs', publicUrl).href },
      // npm's word for it: nobody else may use it.
      license: { name: 'UNLICENSED', identifier: 'LicenseRef-UNLICENSED' },
    },
    servers: [{ url: publicUrl }],
    tags: Object.entries(tags).map(([name, description]) => ({ name, description })),
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
  path: pathTemplate(endpoint.path),
  tags: [endpoint.tag],
  summary: endpoint.summary,
  description: [endpoint.description, rolesLine(endpoint)].filter((line) => line !== undefined).join('\n\n'),
  security: securityOf(endpoint),
  request: {
    params: endpoint.params,
    query: endpoint.query,
    headers: endpoint.headers,
    ...(endpoint.body === undefined
      ? {}
      : {
          body: {
            required: endpoint.isBodyOptional !== true,
            content: { 'application/json': { schema: endpoint.bodyShown ?? endpoint.body, examples: bodyExamplesOf(endpoint) } },
          },
        }),
  },
  responses: endpoint.isPassedOn === true ? passedOnAnswers(endpoint) : { ...ownAnswers(endpoint), ...errorAnswers(endpoint) },
});

const rolesLine = ({ roles }: Endpoint): string => (roles === 'public' ? 'Needs no key.' : `Roles: ${roles.join(', ')}.`);

const securityOf = ({ dialect, roles }: Endpoint): Record<string, string[]>[] => {
  if (roles === 'public') return [];
  if (roles.includes('worker')) return [{ serviceKey: [] }];
  const own: Record<Dialect, Record<string, string[]>[]> = {
    native: [],
    product: [{ serviceKey: [] }],
    atm: [{ deploySecret: [] }, { serviceKey: [] }],
  };
  return [...own[dialect], { apiKey: [] }, { bearer: [] }, { session: [] }];
};

const bodyExamplesOf = ({ bodyExamples = {} }: Endpoint): Record<string, { value: object }> =>
  Object.fromEntries(Object.entries(bodyExamples).map(([name, value]) => [name, { value }]));

type Responses = RouteConfig['responses'];

const ownAnswers = (endpoint: Endpoint): Responses =>
  Object.fromEntries(
    Object.entries(endpoint.answers)
      .filter(([status, { schema }]) => Number(status) < 400 || schema !== undefined)
      .map(([status, answer]) => [
        status,
        {
          description: answer.description,
          headers: headersOf(endpoint, Number(status), answer.headers),
          ...contentOf(Number(status), answer),
        },
      ]),
  );

const contentOf = (status: number, { schema, contentType = 'application/json' }: DescribedAnswer) => {
  if (status === 204) return {};
  const example = schema === undefined ? undefined : answerExamples[String(schema.meta()?.id)];
  return { content: { [contentType]: { schema: schema ?? z.string(), ...(example === undefined ? {} : { example }) } } };
};

const errorAnswers = (endpoint: Endpoint): Responses => {
  const { dialect, path, answers } = endpoint;
  const inOwnWords = Object.entries(answers).filter(([status, { schema }]) => Number(status) >= 400 && schema === undefined);
  const described = (status: number, description: string) => ({
    description,
    headers: headersOf(endpoint, status),
    content: errorContentOf(dialect, status),
  });
  return Object.fromEntries([
    ...inOwnWords.map(([status, { description }]) => [status, described(Number(status), description)]),
    ...listErrors(endpoint).map(({ status, description, code }) => [
      String(status),
      isUncounted(path) ? described(status, description) : { $ref: `#/components/responses/${sharedErrorName(dialect, code)}` },
    ]),
  ]);
};

const sharedErrors = () =>
  new Map(
    endpointNames
      .map((name): Endpoint => endpoints[name])
      .filter(({ path, isPassedOn }) => !isUncounted(path) && isPassedOn !== true)
      .flatMap((endpoint) =>
        listErrors(endpoint).map(({ code, status, description }) => {
          const { dialect } = endpoint;
          const headers = headersOf(endpoint, status);
          return [sharedErrorName(dialect, code), { description, headers, content: errorContent(dialect, code) }];
        }),
      ),
  );

/** The machine's own 404, in its own words and type, looks to a client like ours. */
const passedOnAnswers = (endpoint: Endpoint): Responses => {
  const described = [
    ...listErrors(endpoint),
    ...Object.entries(endpoint.answers).map(([status, { description }]) => ({ status, description })),
  ].map(({ status, description }): [string, string] => [String(status), description]);
  return Object.fromEntries(
    [...described, ['default', 'As the machine answers.'] as const].map(([status, description]) => [
      status,
      { description, headers: headersOf(endpoint, Number(status)), content: { '*/*': {} } },
    ]),
  );
};
