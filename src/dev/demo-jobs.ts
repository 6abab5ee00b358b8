import type { JobState } from '../contracts/job';

/** The jobs that the demo submits: one of each kind that matters, and how each has to end. */
export interface DemoJob {
  title: string;
  path: string;
  ends: JobState;
  /** A person at the other end of the story. */
  person?: 'says it was submitted' | 'solves the captcha';
}

export const demoJobs: readonly DemoJob[] = [
  { title: 'applied at once', path: '/quick?ms=800', ends: 'succeeded' },
  { title: 'applied at once, too', path: '/quick?ms=1500', ends: 'succeeded' },
  { title: 'first attempt fails', path: '/fails-before-form?times=1&ms=800', ends: 'succeeded' },
  { title: 'waits for a human', path: '/blocker?type=captcha&ms=1000', ends: 'succeeded', person: 'solves the captcha' },
  { title: 'ends at the review page', path: '/review?ms=1000', ends: 'succeeded', person: 'says it was submitted' },
  { title: 'invalid posting', path: '/invalid', ends: 'failed' },
  { title: 'GH loses its callbacks', path: '/quick?ms=800&lost=running,completed', ends: 'succeeded' },
];
