import { CancellationScope, condition, log, setHandler } from '@temporalio/workflow';
import type { DeployView } from '../../src/contracts/deploy';
import { approveSignal, cancelDeploySignal, deployStatusQuery, rejectSignal, type DeploySignal } from '../../src/contracts/messages';
import { messageShapes } from '../../src/domain/workflow-inputs';
import { takeMessage } from './input';

export type Verdict = { kind: 'approve' | 'reject'; actor: string; reason: string | null };
/** `isAtStandstill`: the deploy stood still when it came, and whoever sent it could know. */
export type Cancel = { kind: 'cancel'; actor: string; reason: string | null; isAtStandstill: boolean };

/** Where people's messages to a deploy arrive. Messages that name another deploy have no effect: they were meant for one before or after it. */
export interface DeployInbox {
  openFor(deployId: string): void;
  cancel(by: { actor: string; reason: string | null }): void;
  hasCancel(): boolean;
  takeCancel(): Cancel;
  hasVerdict(): boolean;
  takeVerdict(): Verdict | null;
  /** Runs a step; a cancel cancels it, and this still waits for its end. */
  untilCancelled<Result>(step: () => Promise<Result>): Promise<Result>;
  answerQueriesWith(deploy: DeployView): void;
}

export const openDeployInbox = (): DeployInbox => {
  let deployId: string | null = null;
  let isOver = false;
  let verdict: Verdict | null = null;
  let cancel: Cancel | null = null;
  let latest: DeployView | null = null;

  /** Signals may arrive with the start, before the deploy knows its own id. */
  const receive =
    (name: string, act: (message: { actor: string; reason: string | null }) => void) => async (given: DeploySignal | undefined) => {
      const message = takeMessage(messageShapes.toDeploy, given);
      if (message === null) return;
      await condition(() => deployId !== null || isOver);
      if (message.deployId === deployId) act({ actor: message.actor ?? 'temporal', reason: message.reason ?? null });
      else log.warn(`${name} names another deploy and has no effect`, { deployId, named: message.deployId });
    };
  const putCancel = (by: { actor: string; reason: string | null }): void =>
    void (cancel ??= { kind: 'cancel', ...by, isAtStandstill: Boolean(latest?.standstill) });

  setHandler(
    approveSignal,
    receive('approve', (by) => void (verdict ??= { kind: 'approve', ...by })),
    {
      description: 'Say yes after the preflight. {"deployId":"…","actor":"…"}',
    },
  );
  setHandler(
    rejectSignal,
    receive('reject', (by) => void (verdict ??= { kind: 'reject', ...by })),
    {
      description: 'Say no after the preflight. {"deployId":"…","reason":"…","actor":"…"}',
    },
  );
  setHandler(cancelDeploySignal, receive('cancel', putCancel), {
    description: 'Stop, and put back what was touched. {"deployId":"…","reason":"…","actor":"…"}',
  });
  setHandler(deployStatusQuery, () => latest, { description: 'The deploy as its row says' });

  return {
    openFor: (id) => void (deployId = id),
    cancel: putCancel,
    hasCancel: () => cancel !== null,
    takeCancel: () => {
      const taken = cancel ?? { kind: 'cancel', actor: 'unknown', reason: null, isAtStandstill: false };
      cancel = null;
      return taken;
    },
    hasVerdict: () => verdict !== null,
    takeVerdict: () => {
      const taken = verdict;
      verdict = null;
      return taken;
    },
    async untilCancelled(step) {
      const scope = new CancellationScope({ cancellable: true, parent: CancellationScope.current() });
      let hasEnded = false;
      const running = scope.run(step).finally(() => (hasEnded = true));
      running.catch(() => undefined);
      await condition(() => hasEnded || cancel !== null);
      if (!hasEnded) scope.cancel();
      return await running;
    },
    answerQueriesWith: (deploy) => {
      latest = deploy;
      isOver = deploy.outcome !== null;
    },
  };
};
