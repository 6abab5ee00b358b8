import type { DeployView } from '../src/contracts/deploy';
import type { KamalDeployInput } from '../src/contracts/messages';

/** What the workflow of a deploy asks for. Each answers the deploy as its row says afterwards; what failed is in the row, not thrown. */
export interface DeployActivities {
  /** Takes the row over, or writes it where the CLI or the Web UI started the workflow. */
  openDeploy(input: KamalDeployInput & { workflowId: string; owner: string }): Promise<DeployView>;
  /** A person's word, as far as the phase allows it. */
  noteDeployWord(word: {
    deployId: string;
    kind: 'approve' | 'reject' | 'cancel';
    actor: string;
    reason: string | null;
  }): Promise<DeployView>;
  /** A step that could not be done at all: from here on the way leads back. */
  noteDeployFailure(failure: { deployId: string; detail: string }): Promise<DeployView>;
  preflightDeploy(deploy: DeployRef): Promise<DeployView>;
  holdHosts(deploy: DeployRef): Promise<DeployView>;
  drainHosts(deploy: DeployRef): Promise<DeployView>;
  lockDestination(deploy: DeployRef): Promise<DeployView>;
  stopBatch(deploy: DeployRef): Promise<DeployView>;
  deployBatch(deploy: DeployRef): Promise<DeployView>;
  verifyBatch(deploy: DeployRef): Promise<DeployView>;
  soakCanary(deploy: DeployRef): Promise<DeployView>;
  putBackHosts(deploy: DeployRef): Promise<DeployView>;
  releaseDeploy(deploy: DeployRef): Promise<DeployView>;
}

export interface DeployRef {
  deployId: string;
}
