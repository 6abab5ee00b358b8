import { allHandlersFinished, CancellationScope, condition, continueAsNew, workflowInfo } from '@temporalio/workflow';
import type { DeployPhase, DeployView } from '../src/contracts/deploy';
import type { KamalDeployInput } from '../src/contracts/messages';
import { starts } from '../src/domain/workflow-inputs';
import { back, forward, noteDeployFailure, noteDeployWord, openDeploy } from './deploy-options';
import { whyRefused } from './options';
import { openDeployInbox, type Cancel, type DeployInbox, type Verdict } from './steps/deploy-inbox';
import { mustParse } from './steps/input';
import { isHistoryLong } from './steps/long-history';
import { showDeploy } from './steps/show-deploy';

/**
 * One deploy, from its preflight to the version that is verified: the new one, or the one before. Rows hold the state; each step looks at the hosts,
 * does its part and writes where the deploy is now, so that a start over any row, a reset and another deployer all go on from what is there.
 */
export async function kamalDeploy(given: KamalDeployInput): Promise<DeployView> {
  const input = mustParse(starts.kamalDeploy, given);
  const inbox = openDeployInbox();
  // The Web UI's Cancel button is our cancel: what was touched is put back before this ends.
  CancellationScope.current().cancelRequested.catch(() => inbox.cancel({ actor: 'temporal', reason: null }));

  return await CancellationScope.nonCancellable(async () => {
    const { workflowId, firstExecutionRunId: owner } = workflowInfo();
    let deploy = await openDeploy({ ...input, workflowId, owner });
    inbox.openFor(deploy.deployId);
    while (deploy.outcome === null) {
      showDeploy(deploy);
      inbox.answerQueriesWith(deploy);
      // Hundreds of batches of one host each; a message that is not taken yet keeps this run.
      if (isHistoryLong() && allHandlersFinished() && !inbox.hasCancel() && !inbox.hasVerdict())
        await continueAsNew<typeof kamalDeploy>({ ...input, deployId: deploy.deployId });
      deploy = inbox.hasCancel() ? await takeMessage(deploy, inbox.takeCancel()) : await takePhase(deploy, inbox);
    }
    showDeploy(deploy);
    inbox.answerQueriesWith(deploy);
    await condition(allHandlersFinished);
    return deploy;
  });
}

const takePhase = async (deploy: DeployView, inbox: DeployInbox): Promise<DeployView> => {
  const { deployId } = deploy;
  if (deploy.phase === 'approval') return await awaitApproval(deploy, inbox);
  const step = steps[deploy.phase];
  const options = { summary: step.summary };
  if (step.way === 'back')
    return await takeWayBack(deploy, inbox, async () => await back[step.activity].executeWithOptions(options, [{ deployId }]));
  try {
    // A cancel reaches the step itself; it ends its child, and this waits for that.
    return await inbox.untilCancelled(async () => await forward[step.activity].executeWithOptions(options, [{ deployId }]));
  } catch (error) {
    if (inbox.hasCancel()) return await takeMessage(deploy, inbox.takeCancel());
    return await noteDeployFailure({ deployId, detail: `${deploy.phase} could not be done: ${describe(error)}` });
  }
};

/** Backward a cancel ends no step, unless the deploy stands still: then a person may decide that it is left as it is. */
const takeWayBack = async (deploy: DeployView, inbox: DeployInbox, step: () => Promise<DeployView>): Promise<DeployView> => {
  // Rows of before there were standstills have none.
  if (!deploy.standstill) return await step();
  try {
    return await inbox.untilCancelled(step);
  } catch (error) {
    if (inbox.hasCancel()) return await takeMessage(deploy, inbox.takeCancel());
    throw error;
  }
};

const awaitApproval = async (deploy: DeployView, inbox: DeployInbox): Promise<DeployView> => {
  const leftMs = Date.parse(deploy.phaseAt) + deploy.strategy.approvalSeconds * 1_000 - Date.now();
  await condition(() => inbox.hasVerdict() || inbox.hasCancel(), Math.max(250, leftMs), { summary: 'A person says yes or no' });
  if (inbox.hasCancel()) return deploy;
  return await takeMessage(deploy, inbox.takeVerdict() ?? { kind: 'reject', actor: 'yardmaster', reason: 'nobody approved it in time' });
};

const takeMessage = async (deploy: DeployView, { kind, actor, reason, ...how }: Verdict | Cancel): Promise<DeployView> => {
  const { deployId } = deploy;
  // Decided here: a repetition of the activity would find what the first one has turned, and take one cancel for two.
  const leaves = 'isAtStandstill' in how && how.isAtStandstill && deploy.phase === 'compensate' && Boolean(deploy.standstill);
  try {
    return await noteDeployWord({ deployId, kind, actor, reason, leaves });
  } catch (error) {
    if (whyRefused(error) === null) throw error;
    // Its texts can never be stored; the decision counts all the same.
    return await noteDeployWord({ deployId, kind, actor: 'temporal', reason: null, leaves });
  }
};

const describe = (error: unknown): string =>
  error instanceof Error ? (error.cause instanceof Error ? error.cause.message : error.message) : String(error);

/** What a phase does. Backward and at the release a cancel changes nothing any more, it is only noted. */
const steps = {
  accepted: { activity: 'preflightDeploy', way: 'forward', summary: 'Look at everything, touch nothing' },
  preflight: { activity: 'preflightDeploy', way: 'forward', summary: 'Look at everything, touch nothing' },
  hold: { activity: 'holdHosts', way: 'forward', summary: 'Nothing new is assigned to the hosts' },
  drain: { activity: 'drainHosts', way: 'forward', summary: 'Wait for the jobs on the hosts' },
  lock: { activity: 'lockDestination', way: 'forward', summary: "Take Kamal's lock" },
  stop: { activity: 'stopBatch', way: 'forward', summary: 'Stop the hosts of the batch' },
  deploy: { activity: 'deployBatch', way: 'forward', summary: 'Start the new version there' },
  verify: { activity: 'verifyBatch', way: 'forward', summary: 'Versions, health and registry, not exit codes' },
  soak: { activity: 'soakCanary', way: 'forward', summary: 'The canary stays healthy' },
  compensate: { activity: 'putBackHosts', way: 'back', summary: 'Put the version before back, verify it' },
  release: { activity: 'releaseDeploy', way: 'back', summary: 'Release lock and hosts' },
  done: { activity: 'releaseDeploy', way: 'back', summary: 'Release lock and hosts' },
} as const satisfies Record<Exclude<DeployPhase, 'approval'>, object>;
