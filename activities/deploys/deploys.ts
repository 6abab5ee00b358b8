import { ApplicationFailure } from '@temporalio/common';
import { defaultStrategy, deployNamePattern, versionPattern, type DeployView } from '../../src/contracts/deploy';
import { failureTypes } from '../../src/contracts/errors';
import { makeKamalDeployId } from '../../src/contracts/ids';
import type { KamalDeployInput } from '../../src/contracts/messages';
import { recordAct } from '../../src/db/audit';
import { appendOwnLine } from '../../src/db/deploys/deploy-logs';
import { findDeploy, findLiveDeploy } from '../../src/db/deploys/deploy-rows';
import { approveDeploy, insertDeploy, leaveDeploy, recordCancelRequest, takeOverDeploy, turnDeploy } from '../../src/db/deploys/deploys';
import { withTransaction } from '../../src/db/pool';
import { canCompensate, compensationPhase, phaseAfter } from '../../src/domain/deploy-plan';
import { findStrategyProblem } from '../../src/domain/deploy-strategy';
import type { DeployDeps } from './deploy-deps';
import { createCompensateActivities } from './deploy-compensate';
import { createBatchActivities } from './deploy-batches';
import { createDrainActivities } from './deploy-drain';
import { createLockActivities } from './deploy-lock';
import { createPreflightActivities } from './deploy-preflight';
import { createReleaseActivities } from './deploy-release';
import { createRunStep, getDeploy } from './deploy-step';
import { createVerifyActivities } from './deploy-verify';

/** What the workflow of a deploy asks for. Each answers the deploy as its row says afterwards; what failed is in the row, not thrown. */
export const createDeployWorkActivities = (deps: DeployDeps) => {
  const { pool } = deps;
  const runStep = createRunStep(deps);

  /** A person's signal, as far as the phase allows it; one that comes too late is noted in the log. */
  const noteDeployWord = async (message: {
    deployId: string;
    kind: 'approve' | 'reject' | 'cancel';
    actor: string;
    reason: string | null;
    /** Of a cancel: the deploy stood still on its way back when it came, and ends as it is. */
    leaves?: boolean;
  }): Promise<DeployView> => {
    const { deployId, kind, actor, reason, leaves = false } = message;
    const by = `${actor}${reason === null ? '' : `: ${reason}`}`;
    let line = `${pastOf[kind]} by ${by}`;
    await withTransaction(pool, async (client) => {
      // First, since it locks the row: the phase that is read behind it stays.
      if (kind === 'cancel') await recordCancelRequest(client, { deployId, actor, reason });
      const deploy = await getDeploy({ pool: client }, deployId);
      if (kind === 'approve') await approveDeploy(client, { deployId, actor, phase: phaseAfter({ ...deploy, phase: 'approval' }) });
      if (kind === 'reject') {
        const check = { check: 'approval', host: null, isOk: false, detail: line };
        await turnDeploy(client, { deployId, phase: 'release', detail: line, check });
      }
      if (kind === 'cancel') {
        if (canCompensate(deploy)) await turnDeploy(client, { deployId, phase: compensationPhase(deploy), detail: line, check: null });
        else if (leaves && (await leaveDeploy(client, { deployId, detail: `left as it stands, ${line}` })))
          line = `${line}: the hosts are left as they are`;
        else line = `a cancel by ${by} is noted; the deploy is at ${deploy.phase} already and ends there`;
      }
      await appendOwnLine(client, { deployId, line });
      await recordAct(client, {
        actor,
        source: 'workflow',
        address: null,
        act: `deploy_${kind}`,
        subjectKind: 'deploy',
        subject: deployId,
        detail: { reason },
      });
    });
    return await getDeploy(deps, deployId);
  };

  return {
    ...createPreflightActivities(deps, runStep),
    ...createDrainActivities(deps, runStep),
    ...createLockActivities(deps, runStep),
    ...createBatchActivities(deps, runStep),
    ...createVerifyActivities(deps, runStep),
    ...createCompensateActivities(deps, runStep),
    ...createReleaseActivities(deps, runStep),

    /** Takes the row over, or writes it where the CLI or the Web UI started the workflow. */
    async openDeploy(input: KamalDeployInput & { workflowId: string; owner: string }): Promise<DeployView> {
      const deployId = input.deployId ?? input.owner;
      const known = await findDeploy(pool, deployId);
      if (known === null) await writeDeploy(deps, input, deployId);
      else mustBelong(input.workflowId, known);
      await takeOverDeploy(pool, { deployId, owner: input.owner });
      const deploy = await getDeploy(deps, deployId);
      // It was accepted, and the run that was sent it is gone.
      return deploy.cancelRequestedBy !== null && canCompensate(deploy)
        ? await noteDeployWord({ deployId, kind: 'cancel', actor: deploy.cancelRequestedBy, reason: null })
        : deploy;
    },

    noteDeployWord,

    /** A step that could not be done at all: from here on the way leads back. */
    async noteDeployFailure({ deployId, detail }: { deployId: string; detail: string }): Promise<DeployView> {
      const deploy = await getDeploy(deps, deployId);
      const check = { check: deploy.phase, host: null, isOk: false, detail };
      if (canCompensate(deploy)) await turnDeploy(pool, { deployId, phase: compensationPhase(deploy), detail, check });
      await appendOwnLine(pool, { deployId, line: detail });
      return await getDeploy(deps, deployId);
    },
  };
};

export type DeployActivities = ReturnType<typeof createDeployWorkActivities>;

const pastOf = { approve: 'approved', reject: 'rejected', cancel: 'cancelled' } as const;

const writeDeploy = async (
  deps: DeployDeps,
  input: KamalDeployInput & { workflowId: string; owner: string },
  deployId: string,
): Promise<void> => {
  const { destination, version, kind = 'deploy', reason = null, actor = 'temporal', source = 'temporal' } = input;
  const names = await deps.kamal.listDestinations();
  // Typed by hand as often as not: what is no text matches nothing.
  if (!deployNamePattern.test(destination) || !names.includes(destination)) throw invalid(`destination is none of ${names.join(', ')}`);
  if (!versionPattern.test(version)) throw invalid('version is no image tag');
  if (kind !== 'deploy' && kind !== 'rollback') throw invalid('kind is deploy or rollback');
  const strategy = { ...defaultStrategy, ...input.strategy };
  const problem = findStrategyProblem(strategy);
  if (problem !== null) throw invalid(problem);

  const found = await deps.kamal.readDestination(destination);
  const { service } = found;
  // Where it cannot be read it names no service either, and the id would be blamed.
  if (service === '') throw invalid(`the configuration of ${destination} cannot be used: ${found.problem ?? 'it names no service'}`);
  mustBelong(input.workflowId, { service, destination });
  const isDryRun = input.dryRun === true;
  const { owner } = input;
  const row = { deployId, service, destination, kind, version, strategy, isDryRun, reason, actor, source, owner };
  const isWritten = await withTransaction(deps.pool, async (client) => {
    if (!(await insertDeploy(client, row))) return false;
    const detail = { service, destination, version, isDryRun, reason };
    await recordAct(client, { actor, source, address: null, act: kind, subjectKind: 'deploy', subject: deployId, detail });
    return true;
  });
  if (isWritten) return;
  const live = await findLiveDeploy(deps.pool, { service, destination });
  if (live === null || live.deployId === deployId) return;
  throw ApplicationFailure.nonRetryable(
    `deploy ${live.deployId} of ${live.version} by ${live.actor} is under way since ${live.requestedAt}`,
    failureTypes.deployUnderWay,
  );
};

/** The workflow's id is the mutex, so one under another id would be none. */
const mustBelong = (workflowId: string, deploy: { service: string; destination: string }): void => {
  const wanted = makeKamalDeployId(deploy);
  if (workflowId !== wanted) throw invalid(`a deploy to ${deploy.destination} has the workflow id ${wanted}, not ${workflowId}`);
};

const invalid = (message: string): ApplicationFailure => ApplicationFailure.nonRetryable(message, failureTypes.invalidInput);
