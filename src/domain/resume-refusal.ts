import type { ResolutionType } from '../contracts/command';
import type { HumanKind, JobState } from '../contracts/job';

/** What a resume finds. */
export interface ResumeFacts {
  state: JobState;
  humanKind: HumanKind | null;
  isCancelRequested: boolean;
  executionMode: string | null;
  resolutionType: ResolutionType;
  /** The secret of a code or of credentials is there and still valid. */
  hasSecret: boolean;
}

/** A code or credentials, which the worker waits for. */
export const needsSecret = (type: ResolutionType): boolean => type === 'code_entry' || type === 'credentials';

/** Why a resume is refused, and what happens instead; null when it may go. */
export const refuseResume = (facts: ResumeFacts): string | null => {
  if (facts.isCancelRequested) return 'A cancel of this job is under way';
  if (facts.state === 'uncertain')
    return 'Nothing waits: nobody can tell whether the form was submitted. Resolve the job, or retry it with confirm';
  if (facts.state !== 'waiting_human') return `Nothing waits for a person: the job is ${facts.state}`;
  if (facts.humanKind === 'review') {
    return 'It waits at the review page, which no worker goes on from: submit there or not, then resolve the job with submitted true or false';
  }
  if (needsSecret(facts.resolutionType) && facts.executionMode === 'mastra') {
    return 'Its engine (mastra) drops codes and credentials: enter it at the page, then resume with type manual';
  }
  if (needsSecret(facts.resolutionType) && !facts.hasSecret) {
    return 'A code or a password comes over REST only (POST /v1/jobs/:jobId/resume), is used once and lives for minutes: send it there';
  }
  return null;
};
