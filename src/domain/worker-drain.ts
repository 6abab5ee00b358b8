import type { PortSeen } from './exit-proof';

/** What is known of a worker that is being drained. */
export interface DrainFacts {
  workerId: string;
  /** False: somebody released it, so that it gets jobs again. */
  isHeld: boolean;
  /** The job of its live attempt. */
  job: { jobId: string; state: string } | null;
  port: PortSeen;
}

export type DrainFinding =
  | { kind: 'over'; outcome: 'drained' | 'released'; detail: string }
  /** Something is still there, or nobody can tell. */
  | { kind: 'waits'; detail: string };

/** Drained means that no attempt is aimed at it and that its process says so, or is proven gone; a port that says nothing proves nothing (ghosthands §15.7). */
export const judgeDrain = ({ workerId, isHeld, job, port }: DrainFacts): DrainFinding => {
  if (!isHeld) return { kind: 'over', outcome: 'released', detail: 'It was released, and gets jobs again' };
  if (job !== null) return { kind: 'waits', detail: `Job ${job.jobId} is ${job.state} there` };
  if (port.kind === 'refused')
    return { kind: 'over', outcome: 'drained', detail: 'It has no job, and its port refuses: no process is there' };
  if (port.kind === 'silent') return { kind: 'waits', detail: 'No job of ours is there, but its port does not answer: nobody can tell' };
  if (port.workerId !== workerId) return { kind: 'waits', detail: 'No job of ours is there, but another worker answers at its address' };
  if (port.activeJobs > 0) return { kind: 'waits', detail: `It runs ${port.activeJobs} job(s) that are not ours` };
  return { kind: 'over', outcome: 'drained', detail: 'It has no job' };
};
