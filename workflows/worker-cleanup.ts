import { setCurrentDetails } from '@temporalio/workflow';
import type { SweepReport, SweepRequest } from '../src/contracts/sweep';
import { starts } from '../src/domain/workflow-inputs';
import { sweepFleet } from './options';
import { mustParse } from './steps/input';

/** One pass over the fleet, started by the schedule `worker-cleanup`: it probes every host and finds what hints have missed. */
export async function workerCleanup(request?: SweepRequest): Promise<SweepReport> {
  const report = await sweepFleet(mustParse(starts.workerCleanup, request));
  setCurrentDetails(
    Object.entries(report.counts)
      .map(([name, count]) => `- ${name}: ${count}`)
      .join('\n'),
  );
  return report;
}
