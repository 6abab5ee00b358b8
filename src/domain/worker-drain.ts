import { whoAnswers, type PortAnswer } from './process-liveness';

/** What is known of a worker that is being drained. */
export interface DrainFacts {
  workerId: string;
  /** False: its row is gone. GH writes it again at the worker's next start. */
  isRegistered: boolean;
  /** False: somebody released it, so that it gets jobs again. */
  isHeld: boolean;
  /** The job of its live attempt. */
  job: { jobId: string; state: string; isOver: boolean } | null;
  /** Null: nobody knows where to ask. */
  port: PortAnswer | null;
}

export type DrainFinding =
  | { kind: 'over'; outcome: 'drained' | 'released' | 'unproven'; detail: string }
  /** Something is still there, or nobody can tell. */
  | { kind: 'waits'; detail: string };

/** Drained means that no attempt is aimed at it and that its process says so, or is proven gone; a port that says nothing proves nothing (ghosthands §2.2). */
export const judgeDrain = ({ workerId, isRegistered, isHeld, job, port }: DrainFacts): DrainFinding => {
  if (!isHeld) return { kind: 'over', outcome: 'released', detail: 'It was released, and gets jobs again' };
  if (job !== null) return { kind: 'waits', detail: describeJob(job) };
  if (!isRegistered) return { kind: 'waits', detail: 'It is not registered any more: nobody can tell' };
  // Jobs are assigned by address, so that none will come; waiting would tell nobody more.
  if (port === null) {
    const detail = 'No job of ours is there, nor will one come: it registered without an address, where nobody can ask its process';
    return { kind: 'over', outcome: 'unproven', detail };
  }
  const who = whoAnswers(port, { workerId, ranAtMs: null, jitterMs: 0 });
  if (who === null) return { kind: 'waits', detail: 'No job of ours is there, but its port does not answer: nobody can tell' };
  if (who === 'nobody') return { kind: 'over', outcome: 'drained', detail: 'It has no job, and its port refuses: no process is there' };
  if (who === 'another worker') return { kind: 'waits', detail: 'No job of ours is there, but another worker answers at its address' };
  if (port.kind === 'answers' && port.activeJobs > 0)
    return { kind: 'waits', detail: `It runs ${port.activeJobs} job(s) that are not ours` };
  return { kind: 'over', outcome: 'drained', detail: 'It has no job' };
};

/** One that is over is what no wait ends: after a review that a person resolved, the process holds its browser for ever (ghosthands §5.5). */
const describeJob = ({ jobId, state, isOver }: NonNullable<DrainFacts['job']>): string =>
  isOver
    ? `Its attempt of job ${jobId} is over and still has its process: recycle the worker, or restart it`
    : `Job ${jobId} is ${state} there`;
