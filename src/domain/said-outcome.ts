import type { CommandOutcome } from '../contracts/command';
import type { HumanKind, JobState } from '../contracts/job';
import { isResolvable, isTerminal } from './job-state';

/** A person's word to a job, and the job as its record says now. */
export interface Said {
  kind: 'retry' | 'resolve';
  generation: number;
}
export interface SaidTo {
  generation: number;
  state: JobState;
  humanKind: HumanKind | null;
  reason: string;
  detail: string;
}

/** What came of a retry or a resolve, which only the job's workflow can carry out; null while nobody can tell. */
export const judgeSaid = (said: Said, job: SaidTo): { outcome: CommandOutcome; detail: string } | null => {
  if (said.kind === 'retry') {
    if (job.generation > said.generation) return { outcome: 'reopened', detail: `It is generation ${job.generation}` };
    return job.state === 'uncertain' ? null : { outcome: 'refused', detail: `The job is ${job.state} now` };
  }
  if (job.generation > said.generation) return { outcome: 'refused', detail: 'The job was opened again meanwhile' };
  if (isTerminal(job.state) && job.reason.startsWith('resolved_')) return { outcome: 'resolved', detail: job.detail };
  return isResolvable(job) ? null : { outcome: 'refused', detail: `The job is ${job.state} now` };
};
