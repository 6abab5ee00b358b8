import type { SubmissionEntry } from '../../../dev/gh/submissions-log';
import { expectThat, type FaultResult } from './fault';
import { eventsOf, resolve, untilEvent, untilPassAfter, untilState, type FaultFixture } from './fault-fixture';

/**
 * Beats come every 10 s, and 30 s without one are too long to know what a process did last. The examination comes after the pass that asks for it, by a workflow
 * whose orchestrator may just have died: 8 s are left for that.
 */
const examinedInTimeMs = 12_000;

/**
 * The process that had the job is proven gone with the form closed, and another one claims it. Where nobody could examine it in time, a person is
 * asked instead: whether that was so is read from when the next pass was through, and not from what the job says.
 */
export const untilRunElsewhere = async (
  fixture: FaultFixture,
  { jobId, seq, injectedAt }: { jobId: string; seq: number; injectedAt: number },
): Promise<FaultResult> => {
  const claimedAgain = (): SubmissionEntry | undefined => eventsOf(fixture, jobId, 'claimed').find((entry) => entry.seq > seq);
  await Promise.any([untilEvent(fixture, jobId, 'claimed', { after: seq }), untilState(fixture, jobId, 'uncertain')]);
  const again = claimedAgain();
  const state = await untilState(fixture, jobId, ['succeeded', 'failed', 'uncertain']);
  const wasExamined = (await untilPassAfter(fixture, injectedAt)) - injectedAt < examinedInTimeMs;
  if (state === 'uncertain') await resolve(fixture, jobId);
  const claims = eventsOf(fixture, jobId, 'claimed').length;
  return {
    jobIds: [jobId],
    recoveryMs: again === undefined ? null : Date.parse(again.at) - injectedAt,
    isLeftToPerson: state === 'uncertain',
    broken: expectThat({
      [`it ran elsewhere, rather than ${state}`]: state === 'succeeded' || (state === 'uncertain' && !wasExamined),
      [`two attempts were enough, of ${claims}`]: claims <= 2,
    }),
  };
};
