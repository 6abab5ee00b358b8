import type { DeployView } from '../../contracts/deploy';
import { recordAct } from '../../db/audit';
import { findDeploy } from '../../db/deploys/deploy-rows';
import { recordCancelRequest } from '../../db/deploys/deploys';
import { withTransaction } from '../../db/pool';
import { actorOf } from '../actor';
import type { DeploySignalName } from '../deploys-client';
import type { GatewayDeps } from '../gateway-deps';
import { Problem } from '../problem';
import type { RequestFacts } from '../request-facts';
import { temporalIsAway } from './inspect-destination';

/** A person's signal to a deploy: only where its phase allows it, only when its workflow has taken it, and in the audit. */
export const signalDeploy = async (
  deps: GatewayDeps,
  { signal, deployId, reason }: { signal: DeploySignalName; deployId: string; reason: string | null },
  facts: RequestFacts,
): Promise<DeployView> => {
  const by = actorOf(facts);
  const deploy = await getDeploy(deps, deployId);
  refuseInPhase(signal, deploy);
  await withTransaction(deps.pool, async (client) => {
    await recordAct(client, { ...by, act: signal, subjectKind: 'deploy', subject: deployId, detail: { reason, phase: deploy.phase } });
    // With its workflow a signal may be lost that it has not taken yet; what is in the row is carried out by the next one.
    if (signal === 'cancel') await recordCancelRequest(client, { deployId, actor: by.actor, reason });
    const sent = await deps.deploys.signalDeploy(signal, deploy, { deployId, actor: by.actor, ...(reason === null ? {} : { reason }) });
    if (sent.kind === 'unreachable') throw temporalIsAway();
    if (sent.kind === 'not_running') throw workflowNotRunning(deployId);
  });
  return await getDeploy(deps, deployId);
};

export const getDeploy = async ({ pool }: Pick<GatewayDeps, 'pool'>, deployId: string): Promise<DeployView> => {
  const deploy = await findDeploy(pool, deployId);
  if (deploy === null) throw noSuchDeploy(deployId);
  return deploy;
};

export const noSuchDeploy = (deployId: string): Problem => new Problem('deploy_not_found', `No deploy has the id ${deployId}`);

const refuseInPhase = (signal: DeploySignalName, { deployId, phase, outcome }: DeployView): void => {
  if (outcome !== null) throw new Problem('deploy_state_conflict', `The deploy ${deployId} has ended: ${outcome}`);
  if (signal === 'cancel' || phase === 'approval') return;
  throw new Problem('deploy_state_conflict', `The deploy ${deployId} waits for no approval: its phase is ${phase}`);
};

const workflowNotRunning = (deployId: string): Problem =>
  new Problem(
    'unavailable',
    `The workflow of deploy ${deployId} does not run at the moment; the sweep starts it again. Repeat the request then.`,
    {
      headers: { 'Retry-After': '10' },
    },
  );
