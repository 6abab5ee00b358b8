import type { RequestHandler } from 'express';
import { defaultStrategy, type DeployKind } from '../../contracts/deploy';
import { uuidPattern } from '../../contracts/ids';
import { listDeploys, listDestinations } from '../../db/deploys/deploy-reads';
import { findDeploy } from '../../db/deploys/deploy-rows';
import { inspectDestination } from '../deploys/inspect-destination';
import { DeployUnderWay, placeDeploy, type DeployRequest, type PlacedDeploy } from '../deploys/place-deploy';
import { answer, type Answer } from '../endpoint';
import { endpoints } from '../endpoints';
import type { GatewayDeps } from '../gateway-deps';
import { invalidField, Problem } from '../problem';
import type { RequestFacts } from '../request-facts';
import { streamNewestDeploy } from '../sse/newest-deploy';
import { openStream } from '../sse/open-stream';
import type { Reader } from '../sse/reader';
import { drainGracefully } from './atm-drain';
import { readKamalStatus } from './atm-kamal-status';
import { toAuditEntry, toDeployRecord } from './atm-records';

type Names =
  | 'deployKamal'
  | 'rollbackKamal'
  | 'streamNewestDeploy'
  | 'listDeployRecords'
  | 'getDeployRecord'
  | 'kamalStatus'
  | 'kamalValidate'
  | 'kamalAudit'
  | 'kamalHosts'
  | 'drainGraceful';

/** ATM's paths about deploys, mapping only: the acts are ours (routes/deploys.ts), with their rules. */
export const createAtmDeployRoutes = (deps: GatewayDeps): Record<Names, RequestHandler> => ({
  deployKamal: answer(endpoints.deployKamal, async ({ query, body }, facts) => {
    const { destination = await getDefaultDestination(deps) } = body;
    const version = body.version ?? destination;
    return await place(deps, { kind: 'deploy', destination, version, isForced: query.force === 'true' }, facts);
  }),

  rollbackKamal: answer(endpoints.rollbackKamal, async ({ query, body }, facts) => {
    const { destination = await getDefaultDestination(deps), version } = body;
    return await place(deps, { kind: 'rollback', destination, version, isForced: query.force === 'true' }, facts);
  }),

  streamNewestDeploy: async (request, response) => {
    if (request.method === 'HEAD') return void response.status(200).type('text/event-stream').end();
    let reader: Reader | null = null;
    const newest = await deps.streams.source.tails.followNewest(() => reader?.wake());
    try {
      reader = openStream(deps, request, response);
      await streamNewestDeploy(deps.streams.source, reader, newest);
    } finally {
      newest.leave();
    }
  },

  listDeployRecords: answer(endpoints.listDeployRecords, async ({ query: { limit } }) => {
    const wanted = Math.floor(Number(limit ?? recordsDefault));
    const rows = wanted > 0 && wanted < recordsMax ? wanted : recordsMax;
    const { deploys } = await listDeploys(deps.pool, { destination: null, isLive: null, outcomes: null, after: null, rows });
    return { status: 200, body: deploys.map(toDeployRecord) };
  }),

  getDeployRecord: answer(endpoints.getDeployRecord, async ({ params: { deployId } }) => {
    const deploy = uuidPattern.test(deployId) ? await findDeploy(deps.pool, deployId) : null;
    if (deploy === null) throw new Problem('deploy_not_found', 'Deploy record not found');
    return { status: 200, body: toDeployRecord(deploy) };
  }),

  kamalStatus: answer(endpoints.kamalStatus, async ({ query }) => ({
    status: 200,
    body: await readKamalStatus(deps, query.destination ?? (await findDefaultDestination(deps)) ?? deps.settings.environment),
  })),

  kamalValidate: answer(endpoints.kamalValidate, async ({ query }) => {
    const destination = query.destination ?? (await getDefaultDestination(deps));
    const seen = await inspectDestination(deps, { destination, want: 'config' });
    const unknown = { isOk: false, detail: `the deployer knows no destination ${destination}` };
    const { kamal, config, secrets } =
      seen.want === 'config' ? seen : { kamal: { isOk: false, detail: 'was not asked' }, config: unknown, secrets: unknown };
    const ready = kamal.isOk && config.isOk && secrets.isOk;
    const checks = { kamal: checkOf(kamal), config: checkOf(config), infisical: checkOf(secrets) };
    return { status: ready ? 200 : 503, body: { ready, destination, checks } };
  }),

  kamalAudit: answer(endpoints.kamalAudit, async ({ query }) => {
    const destination = query.destination ?? (await getDefaultDestination(deps));
    const seen = await inspectDestination(deps, { destination, want: 'audit' });
    if (seen.want === 'unknown_destination')
      throw new Problem('destination_not_found', `Unknown destination: ${destination}; there is ${seen.destinations.join(', ') || 'none'}`);
    return { status: 200, body: seen.audit.map(toAuditEntry) };
  }),

  kamalHosts: answer(endpoints.kamalHosts, async () => {
    const byDestination: Record<string, Record<string, string[]>> = {};
    for (const { destination, hosts } of await listDestinations(deps.pool)) {
      const byRole: Record<string, string[]> = { web: [], workers: [] };
      for (const { host, roles } of hosts) for (const role of roles) (byRole[role] ??= []).push(host);
      byDestination[destination] = byRole;
    }
    return { status: 200, body: byDestination };
  }),

  drainGraceful: drainGracefully(deps),
});

const recordsDefault = 50;
const recordsMax = 1_000;
const checkOf = ({ isOk, detail }: { isOk: boolean; detail: string }): { ok: boolean; detail: string } => ({ ok: isOk, detail });

/** Its environment, as ATM's own is (atm §3), or the only one that there is. Before anything was seen, the deployer says whether it is there. */
const findDefaultDestination = async ({ pool, settings: { environment } }: GatewayDeps): Promise<string | null> => {
  const known = (await listDestinations(pool)).map(({ destination }) => destination);
  if (known.length === 0 || known.includes(environment)) return environment;
  return known.length === 1 ? (known[0] ?? null) : null;
};

const getDefaultDestination = async (deps: GatewayDeps): Promise<string> => {
  const destination = await findDefaultDestination(deps);
  if (destination !== null) return destination;
  throw invalidField('destination', `say which one: none is called ${deps.settings.environment}, as this environment is`);
};

const place = async (
  deps: GatewayDeps,
  { kind, destination, version, isForced }: { kind: DeployKind; destination: string; version: string; isForced: boolean },
  facts: RequestFacts,
): Promise<Answer> => {
  const request: DeployRequest = {
    service: null,
    destination,
    version,
    kind,
    strategy: isForced ? { ...defaultStrategy, onDrainDeadline: 'force', drainSeconds: 0 } : {},
    isDryRun: false,
    reason: null,
    idempotencyKey: null,
  };
  const { deployId, resolvedVersion } = await placeDeploy(deps, request, facts).catch(inAtmDialect);
  const imageTag = resolvedVersion ?? version;
  const message = kind === 'rollback' ? `Rollback to ${imageTag} started` : `Kamal deploy of ${imageTag} started`;
  return { status: 202, body: { success: true, message, deployId, imageTag, version: imageTag } };
};

/** Its 409 names the running tag and its age in seconds (atm §1.4). */
const inAtmDialect = (error: unknown): PlacedDeploy => {
  if (!(error instanceof DeployUnderWay)) throw error;
  const { kind, resolvedVersion, version, requestedAt, actor } = error.live;
  const seconds = Math.round((Date.now() - Date.parse(requestedAt)) / 1_000);
  throw new Problem(
    'deploy_under_way',
    `A ${kind} is already in progress: ${resolvedVersion ?? version} (started ${seconds}s ago by ${actor})`,
  );
};
