import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { defaultStrategy, type DeployKind, type DeployStrategy, type DeployView } from '../../contracts/deploy';
import { acceptDeploy, findAcceptedDeploy, refuseUnstartedDeploy, type NewDeploy } from '../../db/deploys/accept-deploy';
import { listDestinations } from '../../db/deploys/deploy-reads';
import { findLiveDeploy } from '../../db/deploys/deploy-rows';
import { withTransaction } from '../../db/pool';
import { actorOf } from '../actor';
import type { StartedDeploy } from '../deploys-client';
import type { GatewayDeps } from '../gateway-deps';
import { invalidField, Problem } from '../problem';
import { makeRequestHash } from '../request-hash';
import type { RequestFacts } from '../request-facts';
import { inspectDestination, temporalIsAway } from './inspect-destination';

export interface DeployRequest {
  service: string | null;
  destination: string;
  version: string;
  kind: DeployKind;
  strategy: Partial<DeployStrategy>;
  isDryRun: boolean;
  reason: string | null;
  idempotencyKey: string | null;
}

export interface PlacedDeploy {
  deployId: string;
  resolvedVersion: string | null;
  isReplay: boolean;
}

/** The destination holds another deploy; who asks may want its facts in words of their own. */
export class DeployUnderWay extends Problem {
  constructor(readonly live: DeployView) {
    const { kind, version, deployId, actor, requestedAt, phase } = live;
    super(
      'deploy_under_way',
      `The ${kind} ${deployId} of version ${version} is under way (${phase}), asked for by ${actor} at ${requestedAt}`,
    );
  }
}

/**
 * Checked against what exists, written as a row, then started. Until the row is there nothing has happened; and a row whose workflow does not start at
 * once is ended, since a deploy that begins when nobody waits for it any more is worse than none.
 */
export const placeDeploy = async (deps: GatewayDeps, request: DeployRequest, facts: RequestFacts): Promise<PlacedDeploy> => {
  const requestHash = makeRequestHash({ ...request, idempotencyKey: null });
  const by = actorOf(facts);
  const earlier = await findAcceptedDeploy(deps.pool, { ...request, requestHash }, by.actor);
  if (earlier !== null) return replayOf(earlier);
  await refuseWhileOneRuns(deps, request);
  const { service, resolvedVersion } = await resolveVersion(deps, request);
  const deploy = {
    ...request,
    deployId: randomUUID(),
    service,
    resolvedVersion,
    strategy: { ...defaultStrategy, ...request.strategy },
    requestHash,
  };
  const acceptance = await withTransaction(deps.pool, async (client) => await acceptDeploy(client, deploy, by));
  switch (acceptance.kind) {
    case 'created':
      facts.log = facts.log.child({ deployId: deploy.deployId });
      await start(deps, deploy, facts);
      return { deployId: deploy.deployId, resolvedVersion, isReplay: false };
    case 'under_way':
      throw new DeployUnderWay(acceptance.live);
    case 'replay':
    case 'conflict':
      return replayOf(acceptance);
  }
};

const replayOf = ({ kind, deployId }: { kind: 'replay' | 'conflict'; deployId: string }): PlacedDeploy => {
  if (kind === 'replay') return { deployId, resolvedVersion: null, isReplay: true };
  throw new Problem(
    'idempotency_conflict',
    `The Idempotency-Key belongs to deploy ${deployId}, which came with a different request: use a new key, or repeat that request unchanged`,
  );
};

/** A hint, given at once, whether the deployer answers or not: what it last saw may be old. The row's unique key is what decides. */
const refuseWhileOneRuns = async ({ pool }: GatewayDeps, { destination }: DeployRequest): Promise<void> => {
  const known = (await listDestinations(pool)).find((each) => each.destination === destination);
  const live = known === undefined ? null : await findLiveDeploy(pool, known);
  if (live !== null) throw new DeployUnderWay(live);
};

/** Both of one reading of the configuration as it is now. A destination belongs to one service, so naming it is only a safeguard. */
const resolveVersion = async (
  deps: GatewayDeps,
  { service, destination, version }: DeployRequest,
): Promise<{ service: string; resolvedVersion: string }> => {
  const seen = await inspectDestination(deps, { destination, want: 'version', version });
  if (seen.want === 'unknown_destination') {
    throw invalidField('destination', `the deployer knows no destination ${destination}; it knows ${listOf(seen.destinations)}`);
  }
  // The version may well be right: nobody could look for it.
  if (seen.service === null) throw invalidField('destination', seen.problem ?? `the configuration of ${destination} cannot be used`);
  if (seen.resolved === null) throw invalidField('version', seen.problem ?? `the registry has no version ${version}`);
  if (service !== null && service !== seen.service) throw invalidField('service', `the service of ${destination} is ${seen.service}`);
  return { service: seen.service, resolvedVersion: seen.resolved };
};

const listOf = (names: readonly string[]): string => (names.length === 0 ? 'none' : names.join(', '));

/** The workflow before may be a moment behind the row that it ended. */
const triesMax = 10;
const betweenTriesMs = 200;

const start = async (deps: GatewayDeps, deploy: NewDeploy, facts: RequestFacts): Promise<void> => {
  const { deployId, destination } = deploy;
  const { actor, source } = actorOf(facts);
  const tryToStart = async (): Promise<StartedDeploy> =>
    await deps.deploys.startDeploy({
      deployId,
      service: deploy.service,
      destination,
      version: deploy.version,
      kind: deploy.kind,
      strategy: deploy.strategy,
      dryRun: deploy.isDryRun,
      actor,
      source,
      ...(deploy.reason === null ? {} : { reason: deploy.reason }),
    });
  let started = await tryToStart();
  for (let tries = 1; started.kind === 'already_running' && tries < triesMax; tries++) {
    await delay(betweenTriesMs);
    started = await tryToStart();
  }
  if (started.kind === 'started') return;
  if (started.kind === 'unreachable')
    facts.log.warn('Temporal did not take the deploy in time; it is ended', { deployId, error: started.error });
  const detail =
    started.kind === 'unreachable'
      ? 'Temporal did not take it in time, so it was not begun'
      : 'A deploy that has no row yet runs for this destination, so it was not begun';
  const wasRefused = await refuseUnstartedDeploy(deps.pool, { deployId, detail });
  // The start has arrived although its answer did not.
  if (!wasRefused) return;
  if (started.kind === 'unreachable') throw temporalIsAway();
  throw new Problem('deploy_under_way', `${detail}; GET /v1/deploys?live=true shows it in a moment`);
};
