import type { JobState } from '../../src/contracts/job';

/** The jobs that the demo submits: one of each kind that matters, and how each has to end. */
export interface DemoJob {
  title: string;
  path: string;
  ends: JobState;
  /** How many workers had it by then; any number where nothing is said. */
  attempts?: number;
  /** It may run nowhere else. */
  strictWorker?: string;
  /** A person at the other end of the story. */
  person?:
    | 'says it was submitted'
    | 'solves the captcha'
    | 'sends the code'
    | 'cancels it while it waits'
    | 'cancels it while it runs'
    | 'cancels it though the registry forgot its worker'
    | 'kills its worker'
    | 'sends the code past us'
    | 'cancels it past us';
}

export const demoJobs: readonly DemoJob[] = [
  { title: 'applied at once', path: '/quick?ms=800', ends: 'succeeded' },
  { title: 'applied at once, too', path: '/quick?ms=1500', ends: 'succeeded' },
  { title: 'first attempt fails', path: '/fails-before-form?times=1&ms=800', ends: 'succeeded' },
  { title: 'waits for a human', path: '/blocker?type=captcha&ms=1000', ends: 'succeeded', person: 'solves the captcha' },
  { title: 'ends at the review page', path: '/review?ms=1000', ends: 'succeeded', person: 'says it was submitted' },
  { title: 'invalid posting', path: '/invalid', ends: 'failed' },
  { title: 'wants a code', path: '/blocker-2fa?ms=1000', ends: 'succeeded', person: 'sends the code' },
  {
    title: 'cancelled before a worker has it',
    path: '/quick?ms=800',
    ends: 'cancelled',
    // Nobody of that name is in the fleet, so it waits however fast the others are through.
    strictWorker: 'gh-worker-on-leave',
    person: 'cancels it while it waits',
  },
  { title: 'cancelled while it runs', path: '/slow-start?startMs=60000', ends: 'cancelled', person: 'cancels it while it runs' },
  {
    title: 'cancelled by a fallback route',
    path: '/slow-start?startMs=60000',
    ends: 'cancelled',
    person: 'cancels it though the registry forgot its worker',
  },
  // The form was never open, so another worker may have it; with an open one a person would be asked.
  {
    title: 'its worker is killed',
    path: '/slow-start?startMs=60000&times=1&ms=800',
    ends: 'succeeded',
    attempts: 2,
    person: 'kills its worker',
  },
  // As VALET does in a set-up that leads around the gateway: the public row is all that reaches us.
  { title: 'its code went around us', path: '/blocker-2fa?ms=1000', ends: 'succeeded', person: 'sends the code past us' },
  { title: 'its cancel went around us', path: '/slow-start?startMs=60000', ends: 'cancelled', person: 'cancels it past us' },
  { title: 'GH loses its callbacks', path: '/quick?ms=800&lost=running,completed', ends: 'succeeded' },
];
