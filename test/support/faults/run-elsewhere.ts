import type { SubmissionEntry } from '../../../src/dev/gh-simulator/submissions-log';
import { expectThat, type Played } from './fault';
import { eventsOf, resolve, untilEvent, untilPassAfter, untilState, type Ground } from './ground';

/**
 * Beats come every 10 s, and 30 s without one are too long to know what a process did last. The look comes after the pass that asks for it, by a workflow
 * whose orchestrator may just have died: 8 s are left for that.
 */
const lookedInTimeMs = 12_000;

/**
 * The process that had the job is proven gone with the form closed, and another one claims it. Where nobody could look at it in time, a person is
 * asked instead: whether that was so is read from when the next pass was through, and not from what the job says.
 */
export const untilRunElsewhere = async (
  ground: Ground,
  { jobId, seq, struckAt }: { jobId: string; seq: number; struckAt: number },
): Promise<Played> => {
  const claimedAgain = (): SubmissionEntry | undefined => eventsOf(ground, jobId, 'claimed').find((entry) => entry.seq > seq);
  await Promise.any([untilEvent(ground, jobId, 'claimed', { after: seq }), untilState(ground, jobId, 'uncertain')]);
  const again = claimedAgain();
  const state = await untilState(ground, jobId, ['succeeded', 'failed', 'uncertain']);
  const wasLookedAt = (await untilPassAfter(ground, struckAt)) - struckAt < lookedInTimeMs;
  if (state === 'uncertain') await resolve(ground, jobId);
  const claims = eventsOf(ground, jobId, 'claimed').length;
  return {
    jobIds: [jobId],
    recoveryMs: again === undefined ? null : Date.parse(again.at) - struckAt,
    isLeftToPerson: state === 'uncertain',
    broken: expectThat({
      [`it ran elsewhere, rather than ${state}`]: state === 'succeeded' || (state === 'uncertain' && !wasLookedAt),
      [`two attempts were enough, of ${claims}`]: claims <= 2,
    }),
  };
};
