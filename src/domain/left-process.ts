import type { Limits } from '../contracts/limits';
import type { RecycleReadiness } from '../contracts/worker-act';
import { judgeProcess, type PortAnswer } from './process-liveness';

/**
 * Why the process that had an attempt is of no use any more: its job has ended or goes on without it, nobody ended the review or the wait in time, or
 * the attempt is over and a wait for a person hangs in it (ghosthands §6.3).
 */
export type LeftBy = 'end' | 'review_timeout' | 'blocker_timeout' | 'waiter';

/** A process that an attempt left behind: its worker gets no job before another one is there. */
export interface LeftProcess {
  attemptId: string;
  jobId: string;
  workerId: string;
  by: LeftBy;
  /** Where it was claimed. */
  host: string | null;
  /** Of the worker's registry row now; null where there is none, or no address in it. */
  registeredHost: string | null;
  isRegistered: boolean;
  /** Since the claim, and since the attempt ended (null while it is open), by the database's clock. */
  claimedAgeMs: number;
  endedAgeMs: number | null;
  tries: number;
  /** Nobody is at it, and it is time for another try. */
  isDue: boolean;
  /** Why the last try did not help. */
  problem: string | null;
}

export type LeftFinding =
  /** Another process is there, or none: nothing has to be replaced. */
  | { kind: 'gone' }
  /** Its wait may just be ending by itself. */
  | { kind: 'settles'; afterMs: number }
  | { kind: 'left' }
  /** It is not for us to replace: a person has to. */
  | { kind: 'hindered'; problem: string };

export type LeftLimits = Pick<Limits, 'leftWaiterSettleMs' | 'processStartJitterMs'>;

/** What is to be done about it, after a look at its port; `nowMs` is the clock of `port`, `isListening` proves that its process lives. */
export const judgeLeftProcess = (
  left: Pick<LeftProcess, 'workerId' | 'by' | 'host' | 'registeredHost' | 'isRegistered' | 'claimedAgeMs' | 'endedAgeMs'>,
  port: PortAnswer | null,
  { nowMs, isListening, limits }: { nowMs: number; isListening: boolean; limits: LeftLimits },
): LeftFinding => {
  const { workerId, by, host, registeredHost, isRegistered, claimedAgeMs, endedAgeMs } = left;
  const isItsMachine = host !== null && host === registeredHost;
  const { leftWaiterSettleMs: settleMs, processStartJitterMs } = limits;
  const { is } = judgeProcess(
    {
      workerId,
      ranAtMs: nowMs - claimedAgeMs,
      // It has come as far as a page.
      boundByMs: null,
      before: null,
      answers: port === null ? [] : [port],
      // A cancel may have ended it.
      listener: isListening ? 'present' : 'unreadable',
      isAddressCurrent: isItsMachine,
    },
    { jitterMs: processStartJitterMs / 2 },
  );
  if (is === 'gone') return { kind: 'gone' };
  if (by === 'waiter' && endedAgeMs !== null && endedAgeMs < settleMs) return { kind: 'settles', afterMs: settleMs - endedAgeMs };
  if (!isRegistered) return { kind: 'hindered', problem: `${workerId} is not registered any more` };
  if (host !== null && registeredHost !== null && !isItsMachine) {
    const problem = `its registry row names ${registeredHost}, and the process that has it is at ${host}`;
    return { kind: 'hindered', problem };
  }
  // Its own job blocks in it, and counts as one; beside a wait that was left behind it can only be somebody else's.
  if (by === 'waiter' && port?.kind === 'answers' && port.activeJobs > 0) {
    return { kind: 'hindered', problem: 'it works on something that is not ours' };
  }
  return { kind: 'left' };
};

/** For the act and the hold. */
export const whyReplaced = ({ by, jobId }: Pick<LeftProcess, 'by' | 'jobId'>): string => {
  switch (by) {
    case 'end':
      return `Job ${jobId} goes on without it, and its process keeps the page`;
    case 'review_timeout':
      return `Nobody ended the review of job ${jobId} in time`;
    case 'blocker_timeout':
      return `Job ${jobId} was left at a blocker that nobody ended`;
    case 'waiter':
      return `An attempt of job ${jobId} left a wait for a person behind`;
  }
};

/**
 * What a person has to do about it; null while it is being recycled. Said at once where nothing can recycle it, before the first try has shown that.
 */
export const findWaitForPerson = (
  left: Pick<LeftProcess, 'workerId' | 'by' | 'jobId' | 'problem'>,
  readiness: RecycleReadiness | null,
): string | null => {
  const problem = left.problem ?? (readiness !== null && unable.has(readiness.state) ? readiness.detail : null);
  return problem === null ? null : `Restart ${left.workerId}: ${whyReplaced(left)}; it was not recycled: ${problem}`;
};

const unable: ReadonlySet<RecycleReadiness['state']> = new Set(['not_configured', 'no_deployer']);
