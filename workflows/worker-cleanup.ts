import { setCurrentDetails } from '@temporalio/workflow';
import type { SweepReport, SweepRequest } from '../src/contracts/sweep';
import type { RecycleReadiness } from '../src/contracts/worker-act';
import { starts } from '../src/domain/workflow-inputs';
import { noteRecycleReadiness, readRecycleReadiness, sweepFleet } from './options';
import { mustParse } from './steps/input';

/** One pass over the fleet, started by the schedule `worker-cleanup`: it probes every host and finds what hints have missed. */
export async function workerCleanup(request?: SweepRequest): Promise<SweepReport> {
  const report = await sweepFleet(mustParse(starts.workerCleanup, request));
  if (report.isRecycleAskDue === true) await askDeployer();
  setCurrentDetails(
    Object.entries(report.counts)
      .map(([name, count]) => `- ${name}: ${count}`)
      .join('\n'),
  );
  return report;
}

/** Whether workers can be recycled is known before one needs it. */
const askDeployer = async (): Promise<void> => {
  const readiness = await readRecycleReadiness().catch((): RecycleReadiness => ({
    state: 'no_deployer',
    detail: 'no deployer answers, and it is the deployer that recycles',
  }));
  await noteRecycleReadiness(readiness);
};
