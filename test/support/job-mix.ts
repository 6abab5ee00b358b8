import type { JobState } from '../../src/contracts/job';
import type { SeededRandom } from './seeded-random';

/** One kind of job: what it meets at the posting, and the one state that it must come to without a person. */
export interface JobKind {
  path: string;
  end: Extract<JobState, 'succeeded' | 'failed' | 'uncertain'>;
  /** How often in a hundred jobs. */
  share: number;
}

/** Every behaviour that ends without a human at the page (dev/gh/behaviours.ts). */
export const jobKinds: readonly JobKind[] = [
  { path: '/quick?ms=100', end: 'succeeded', share: 22 },
  { path: '/quick?ms=1500', end: 'succeeded', share: 10 },
  { path: '/slow-start?startMs=800&ms=100', end: 'succeeded', share: 5 },
  { path: '/fails-before-form?times=1&ms=100', end: 'succeeded', share: 8 },
  { path: '/fails-before-form?times=9&ms=100', end: 'failed', share: 3 },
  { path: '/fails-after-form?code=timeout&ms=100', end: 'uncertain', share: 6 },
  { path: '/fails-after-submit?code=timeout&ms=100', end: 'uncertain', share: 3 },
  { path: '/invalid', end: 'failed', share: 6 },
  { path: '/keep-open?ms=100', end: 'uncertain', share: 5 },
  { path: '/recovers-from-browser-crash?ms=200', end: 'succeeded', share: 4 },
  { path: '/recovers-from-browser-crash?when=after-submit&ms=200', end: 'succeeded', share: 4 },
  { path: '/quick?ms=100&lost=running,completed', end: 'succeeded', share: 5 },
  { path: '/fails-after-form?ms=100&lost=failed', end: 'uncertain', share: 3 },
  { path: '/callbacks?repeat=3&reorder=1&delayMs=300&ms=100', end: 'succeeded', share: 5 },
  { path: '/callbacks?delayMs=3000&delayed=running&ms=100', end: 'succeeded', share: 4 },
  { path: '/crash?when=before-form&times=1&ms=100', end: 'succeeded', share: 3 },
  { path: '/crash?when=after-form&ms=200', end: 'uncertain', share: 2 },
  { path: '/crash?when=after-submit&ms=100', end: 'uncertain', share: 2 },
];

/** So many jobs of all kinds by their shares, in any order. */
export const mixJobs = (count: number, random: SeededRandom): JobKind[] => {
  const whole = jobKinds.reduce((sum, { share }) => sum + share, 0);
  const fair = jobKinds.flatMap((kind) => Array.from({ length: Math.max(1, Math.round((kind.share / whole) * count)) }, () => kind));
  const filled = [...fair, ...Array.from({ length: Math.max(0, count - fair.length) }, () => random.pick(jobKinds))];
  return random.shuffle(filled).slice(0, count);
};
