import express, { type Express, type RequestHandler } from 'express';
import helmet from 'helmet';
import { createAtmDeployRoutes } from './compat/atm-deploys';
import { listEndedSessions } from '../db/ended-sessions';
import { isMachine } from '../domain/fleet-config';
import { createAtmRoutes } from './compat/atm';
import { createAtmProxyRoutes } from './compat/atm-proxy';
import { refuseWhatIsNotOurs } from './compat/atm-refused';
import { withoutFleetPrefix } from './compat/fleet-prefix';
import { createMonitoringRoutes } from './compat/monitoring';
import { createValetRoutes } from './compat/valet';
import { createValetCommandRoutes } from './compat/valet-commands';
import { createValetFleetRoutes } from './compat/valet-fleet';
import type { Endpoint } from './endpoint';
import { endpointNames, endpoints, type EndpointName } from './endpoints';
import type { GatewayDeps } from './gateway-deps';
import { accessLog } from './middleware/access-log';
import { authorise, identify, knownCaller } from './middleware/auth';
import { allowOrigins } from './middleware/cors';
import { answerErrors, answerNotFound } from './middleware/errors';
import { jsonBody } from './middleware/json-body';
import { noteRefused } from './middleware/note-refused-callback';
import { optionalBody } from './middleware/optional-body';
import { limitRate } from './middleware/rate-limit';
import { requestId } from './middleware/request-id';
import { refuseForeignTargets } from './middleware/request-target';
import { Problem } from './problem';
import { getFacts } from './request-facts';
import { createSessions } from './sessions';
import { createAuditRoutes } from './routes/audit';
import { createCallbackRoutes } from './routes/callbacks';
import { createCommandRoutes } from './routes/commands';
import { createDeployLogRoutes } from './routes/deploy-logs';
import { createDeployRoutes } from './routes/deploys';
import { createDocumentRoutes } from './routes/documents';
import { createFleetRoutes } from './routes/fleet';
import { createHealthRoutes } from './routes/health';
import { createSessionRoutes } from './routes/session';
import { createWatchRoutes } from './routes/watch';
import { createJobRoutes } from './routes/jobs';
import { createWorkerActRoutes } from './routes/worker-acts';

/** The gateway without a port: server.ts listens, tests too. */
export const createApp = (deps: GatewayDeps): Express => {
  const callers = deps.keyRing.keys.map(knownCaller);
  const sessions = createSessions(callers, { lifeMs: deps.limits.sessionLifeMs });
  const handlers: Record<EndpointName, RequestHandler> = {
    ...createJobRoutes(deps),
    ...createCallbackRoutes(deps),
    ...createCommandRoutes(deps),
    ...createAuditRoutes(deps),
    ...createFleetRoutes(deps),
    ...createWorkerActRoutes(deps),
    ...createDeployRoutes(deps),
    ...createDeployLogRoutes(deps),
    ...createHealthRoutes(deps),
    ...createDocumentRoutes(deps.settings),
    ...createValetRoutes(deps),
    ...createValetCommandRoutes(deps),
    ...createAtmDeployRoutes(deps),
    ...createSessionRoutes({ sessions, ...deps }),
    ...createWatchRoutes(),
    ...createValetFleetRoutes(deps),
    ...createMonitoringRoutes(deps),
    ...createAtmRoutes(deps),
    ...createAtmProxyRoutes(deps),
  };
  const app = express();
  app.set('trust proxy', deps.settings.trustProxy);
  app.set('query parser', 'simple');
  app.disable('etag');
  app.use(
    requestId(deps.log),
    securityHeaders,
    closeWhileDraining(deps.isDraining),
    accessLog(deps.metrics.observe),
    refuseForeignTargets,
    withoutFleetPrefix(listOwnIds(deps)),
    allowOrigins(deps.settings.corsOrigins),
  );
  const isSignedOut = async (sessionId: string): Promise<boolean> => (await listEndedSessions(deps.pool, [sessionId])).length > 0;
  app.use(
    identify(deps.keyRing, { callers, sessions, publicUrl: deps.settings.publicUrl, isSignedOut }),
    limitRate(deps.settings.rateLimitPerMinute),
  );
  app.use(refuseWhatIsNotOurs);
  const readBody = jsonBody(deps.settings.bodyBytesMax);
  for (const name of endpointNames) {
    const endpoint: Endpoint = endpoints[name];
    app[endpoint.method](
      endpoint.path,
      recordRoute(endpoint.path),
      ...(name === 'receiveCallback' ? [noteRefused(deps)] : []),
      authorise(endpoint.isOpenAtAtm === true && deps.settings.atmOpenReads ? 'public' : endpoint.roles),
      ...bodyReaders(endpoint, readBody),
      handlers[name],
    );
  }
  for (const [path, methods] of methodsByPath()) app.all(path, recordRoute(path), refuseMethod(methods));
  app.use(answerNotFound);
  app.use(answerErrors);
  return app;
};

/** Of the entries that its owner has written down for the control plane itself. */
const listOwnIds =
  ({ fleetConfig }: GatewayDeps) =>
  (): string[] =>
    fleetConfig.current().servers.flatMap((server) => (isMachine(server) ? [] : [server.id]));

/** The one page of ours loads its style sheet and nothing else. */
const securityHeaders = helmet({
  contentSecurityPolicy: {
    useDefaults: false,
    directives: { defaultSrc: ["'none'"], styleSrc: ["'self'"], baseUri: ["'none'"], formAction: ["'none'"], frameAncestors: ["'none'"] },
  },
});

/** A kept connection would outlive the drain. */
const closeWhileDraining = (isDraining: () => boolean): RequestHandler => {
  return (_request, response, next) => {
    if (isDraining()) response.set('Connection', 'close');
    next();
  };
};

const bodyReaders = (endpoint: Endpoint, readBody: ReturnType<typeof jsonBody>): readonly RequestHandler[] => {
  if (endpoint.body === undefined) return [];
  const handlers = readBody(endpoint.body);
  return endpoint.isBodyOptional === true ? optionalBody(handlers) : handlers;
};

const recordRoute = (path: string): RequestHandler => {
  return (request, _response, next) => {
    const facts = getFacts(request);
    facts.route = path;
    facts.log = facts.log.child(idsIn(request.params));
    next();
  };
};

/** Every line about a job, an attempt, a worker or a deploy names it, as its path does. */
const idsIn = (params: Readonly<Record<string, string | string[]>>): Record<string, string> =>
  Object.fromEntries(
    loggedIds.flatMap((name) => {
      const id = params[name];
      return typeof id === 'string' ? [[name, id] as const] : [];
    }),
  );

const loggedIds = ['jobId', 'attemptId', 'workerId', 'deployId'] as const;

const methodsByPath = (): Map<string, string[]> => {
  const methods = new Map<string, string[]>();
  for (const { path, method } of Object.values(endpoints)) {
    methods.set(path, [...(methods.get(path) ?? []), ...(method === 'get' ? ['GET', 'HEAD'] : [method.toUpperCase()])]);
  }
  return methods;
};

const refuseMethod = (methods: readonly string[]): RequestHandler => {
  const allow = methods.join(', ');
  return (request) => {
    throw new Problem('method_not_allowed', `${request.method} is not possible here; use ${allow}`, { headers: { Allow: allow } });
  };
};
