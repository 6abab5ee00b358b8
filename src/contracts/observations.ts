import type { CommandKind, CommandOutcome, Route } from './command';
import type { JobState } from './job';

/** What was done and committed, for the figures of the process that did it. Names of ours only: no id, and nothing that a neighbour sent. */
export type Observation =
  | { of: 'state'; state: JobState }
  /** For a worker since the job was accepted, or for the claim since it was assigned. */
  | { of: 'wait'; wait: 'worker' | 'claim'; seconds: number }
  /** `seconds` since the claim; null when nobody claimed. */
  | { of: 'attempt'; end: string; seconds: number | null }
  | { of: 'command'; kind: CommandKind; route: Route | 'none'; outcome: CommandOutcome | 'none' }
  /** A neighbour's command that was found in a public row. */
  | { of: 'row_command'; kind: CommandKind; taken: 'taken' | 'joined' | 'refused' }
  | { of: 'callback'; settledAs: 'delivered' | 'superseded' | 'given_up' | 'refused' }
  | { of: 'sweep'; counts: Record<string, number>; seconds: number };

export type Observe = (observation: Observation) => void;
