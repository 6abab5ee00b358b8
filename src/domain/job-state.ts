import type { GhStatus } from '../contracts/ghosthands';
import { jobStates, terminalJobStates, type HumanKind, type JobState, type TerminalJobState } from '../contracts/job';
import type { CallbackStatus } from '../contracts/callback';

/** Where a job may go from each state. `uncertain` is left only by a person's decision, a late proof, or its deadline. */
const transitions: Record<JobState, readonly JobState[]> = {
  accepted: ['waiting', 'assigned', 'cancelled'],
  waiting: ['assigned', 'cancelled', 'expired', 'failed'],
  assigned: ['waiting', 'running', 'waiting_human', 'uncertain', 'succeeded', 'failed', 'cancelled'],
  running: ['waiting', 'waiting_human', 'uncertain', 'succeeded', 'failed', 'cancelled'],
  waiting_human: ['waiting', 'running', 'waiting_human', 'uncertain', 'succeeded', 'failed', 'cancelled'],
  uncertain: ['succeeded', 'failed', 'cancelled'],
  succeeded: [],
  failed: [],
  cancelled: [],
  expired: [],
};

export const mayMove = (from: JobState, to: JobState): boolean => transitions[from].includes(to);

/**
 * `queued`: the next idle worker gets it; `at_work`: one has it; `resting`: it moves by what somebody says. The lists of states in SQL are made from it, so that a
 * new state is in those that mean it before anything compiles.
 */
const stageOf: Record<JobState, 'queued' | 'at_work' | 'resting' | 'ended'> = {
  accepted: 'queued',
  waiting: 'queued',
  assigned: 'at_work',
  running: 'at_work',
  waiting_human: 'at_work',
  uncertain: 'resting',
  succeeded: 'ended',
  failed: 'ended',
  cancelled: 'ended',
  expired: 'ended',
};
const statesOf = (stage: (typeof stageOf)[JobState]): readonly JobState[] => jobStates.filter((state) => stageOf[state] === stage);
export const queuedStates = statesOf('queued');
export const statesAtWork = statesOf('at_work');
/** A person is waited for; the index job_attention_idx repeats them. */
export const statesForPerson: readonly JobState[] = ['waiting_human', 'uncertain'];

export const isTerminal = (state: JobState): state is TerminalJobState => (terminalJobStates as readonly JobState[]).includes(state);

/** A person's decision ends it: nobody else knows, or its form waits at the review page. A blocker is resumed. */
export const isResolvable = ({ state, humanKind }: { state: JobState; humanKind: HumanKind | null }): boolean =>
  state === 'uncertain' || (state === 'waiting_human' && humanKind === 'review');

/**
 * The status of the job row, the mirror that the product reads. Never `queued`: staging's recovery takes queued rows without a heartbeat
 * (ghosthands §4.3).
 */
export const ghStatusOf: Record<JobState, GhStatus> = {
  accepted: 'pending',
  waiting: 'pending',
  assigned: 'pending',
  running: 'running',
  waiting_human: 'paused',
  uncertain: 'failed',
  succeeded: 'completed',
  failed: 'failed',
  cancelled: 'cancelled',
  expired: 'expired',
};

/** The callback that entering a state sends (valet §2.2), and whether it is the final one of its generation. */
export const callbackOf: Record<JobState, { status: CallbackStatus; isFinal: boolean } | null> = {
  accepted: null,
  waiting: null,
  assigned: null,
  running: { status: 'running', isFinal: false },
  waiting_human: { status: 'paused', isFinal: false },
  uncertain: { status: 'failed', isFinal: true },
  succeeded: { status: 'completed', isFinal: true },
  failed: { status: 'failed', isFinal: true },
  cancelled: { status: 'cancelled', isFinal: true },
  expired: { status: 'expired', isFinal: true },
};
