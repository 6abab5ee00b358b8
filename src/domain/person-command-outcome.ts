import type { CommandOutcome } from '../contracts/command';
import type { HumanKind, JobState } from '../contracts/job';
import { isResolvable, isTerminal } from './job-state';

/** A retry or a resolve, and the job as its record says now. */
export interface PersonCommand {
  kind: 'retry' | 'resolve';
  generation: number;
}
export interface CommandedJob {
  generation: number;
  state: JobState;
  humanKind: HumanKind | null;
  reason: string;
  detail: string;
}

/** What came of a retry or a resolve, which only the job's workflow can carry out; null while nobody can tell. */
export const judgePersonCommand = (command: PersonCommand, job: CommandedJob): { outcome: CommandOutcome; detail: string } | null => {
  if (command.kind === 'retry') {
    if (job.generation > command.generation) return { outcome: 'reopened', detail: `It is generation ${job.generation}` };
    return job.state === 'uncertain' ? null : { outcome: 'refused', detail: `The job is ${job.state} now` };
  }
  if (job.generation > command.generation) return { outcome: 'refused', detail: 'The job was opened again meanwhile' };
  if (isTerminal(job.state) && (job.reason === 'resolved_submitted' || job.reason === 'resolved_not_submitted'))
    return { outcome: 'resolved', detail: job.detail };
  return isResolvable(job) ? null : { outcome: 'refused', detail: `The job is ${job.state} now` };
};
