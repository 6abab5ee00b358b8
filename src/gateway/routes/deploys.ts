import type { RequestHandler } from 'express';
import type { DeployView } from '../../contracts/deploy';
import { recordAct } from '../../db/audit';
import { listDeploys } from '../../db/deploys/deploy-reads';
import { actorOf } from '../actor';
import { makeDeployCursor, parseDeployCursor } from '../cursor';
import { orProblem } from '../deploys/inspect-destination';
import { placeDeploy } from '../deploys/place-deploy';
import { readDestinations } from '../deploys/read-destinations';
import { getDeploy, signalDeploy } from '../deploys/signal-deploy';
import { answer, type Answer } from '../endpoint';
import { endpoints } from '../endpoints';
import type { GatewayDeps } from '../gateway-deps';
import { Problem } from '../problem';

type Names =
  'placeDeploy' | 'listDeploys' | 'getDeploy' | 'approveDeploy' | 'rejectDeploy' | 'cancelDeploy' | 'listDestinations' | 'breakDeployLock';

/** What people and programs do with deploys; routes/deploy-logs.ts is what they read of them. */
export const createDeployRoutes = (deps: GatewayDeps): Record<Names, RequestHandler> => ({
  placeDeploy: answer(endpoints.placeDeploy, async ({ body, headers }, facts) => {
    const { service = null, reason = null, dryRun, ...rest } = body;
    const idempotencyKey = headers['idempotency-key'] ?? null;
    const { deployId, isReplay } = await placeDeploy(deps, { ...rest, service, reason, isDryRun: dryRun, idempotencyKey }, facts);
    return deployAnswer(isReplay ? 200 : 201, await getDeploy(deps, deployId));
  }),

  listDeploys: answer(endpoints.listDeploys, async ({ query }) => {
    const { deploys, next } = await listDeploys(deps.pool, {
      destination: query.destination ?? null,
      isLive: query.live ?? null,
      outcomes: query.outcome ?? null,
      needsAttention: query.needsAttention ?? false,
      after: query.cursor === undefined ? null : parseDeployCursor(query.cursor),
      rows: query.limit ?? deps.limits.pageRowsDefault,
    });
    return { status: 200, body: { deploys, nextCursor: next === null ? null : makeDeployCursor(next) } };
  }),

  getDeploy: answer(endpoints.getDeploy, async ({ params: { deployId } }) => deployAnswer(200, await getDeploy(deps, deployId))),

  approveDeploy: answer(endpoints.approveDeploy, async ({ params: { deployId }, body: { reason = null } }, facts) =>
    deployAnswer(202, await signalDeploy(deps, { signal: 'approve', deployId, reason }, facts)),
  ),

  rejectDeploy: answer(endpoints.rejectDeploy, async ({ params: { deployId }, body: { reason = null } }, facts) =>
    deployAnswer(202, await signalDeploy(deps, { signal: 'reject', deployId, reason }, facts)),
  ),

  cancelDeploy: answer(endpoints.cancelDeploy, async ({ params: { deployId }, body: { reason = null } }, facts) =>
    deployAnswer(202, await signalDeploy(deps, { signal: 'cancel', deployId, reason }, facts)),
  ),

  listDestinations: answer(endpoints.listDestinations, async ({ query: { refresh = false } }) => ({
    status: 200,
    body: { destinations: await readDestinations(deps, { isRefreshed: refresh }) },
  })),

  breakDeployLock: answer(endpoints.breakDeployLock, async ({ params: { destination }, body: { reason } }, facts) => {
    const by = actorOf(facts);
    const known = await readDestinations(deps, { isRefreshed: false });
    if (!known.some((each) => each.destination === destination)) throw noSuchDestination(destination);
    // Before the act: one whose answer is lost has happened as well.
    await recordAct(deps.pool, { ...by, act: 'break_lock', subjectKind: 'destination', subject: destination, detail: { reason } });
    const result = orProblem(await deps.deploys.breakLock({ destination, reason, actor: by.actor }, deps.limits.breakLockMs));
    facts.log.warn("Kamal's lock was to be broken", { destination, reason, key: by.actor, result });
    if (result.kind === 'refused') throw new Problem('deploy_under_way', result.detail);
    return { status: 200, body: { kind: result.kind, detail: result.detail } };
  }),
});

const deployAnswer = (status: number, deploy: DeployView): Answer => ({
  status,
  headers: { Location: `/v1/deploys/${deploy.deployId}` },
  body: deploy,
});

const noSuchDestination = (destination: string): Problem =>
  new Problem(
    'destination_not_found',
    `The deployer has seen no destination ${destination}; GET /v1/destinations?refresh=true looks again`,
  );
