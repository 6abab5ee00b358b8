import { setCurrentDetails } from '@temporalio/workflow';
import type { JobView } from '../../src/contracts/job';
import { searchAttributes } from '../../src/contracts/messages';
import { isTerminal } from '../../src/domain/job-state';
import { showAttributes } from './show-attributes';

/** What operators see in the Web UI and the CLI: current details that follow the story, and attributes to search by. */
export const showJob = (job: JobView): void => {
  setCurrentDetails(
    [
      `**${job.state}** (${job.reason})${job.detail === '' ? '' : `: ${job.detail}`}`,
      job.attempt === null
        ? 'No worker has it'
        : `Attempt ${job.attempt.number} at worker \`${job.attempt.workerId}\` on ${job.attempt.host ?? 'an unknown host'}`,
      `Generation ${job.generation}, submission: ${job.submission}${job.isRerunByGh ? ', run again by GH after a browser crash' : ''}`,
    ].join('\n\n'),
  );
  const wanted: Partial<Record<string, string>> = {
    [searchAttributes.state.name]: job.state,
    ...(job.attempt === null ? {} : { [searchAttributes.workerId.name]: job.attempt.workerId }),
    ...(job.attempt?.host ? { [searchAttributes.host.name]: job.attempt.host } : {}),
    ...(isTerminal(job.state) ? { [searchAttributes.outcome.name]: job.reason } : {}),
  };
  showAttributes(wanted);
};
