import { adoptRows, hasQueueModeWorker, listAdoptableRows } from '../../src/db/jobs/adopt';
import { judgeAdoption, type Adoption } from '../../src/domain/adoption';
import type { Pass } from './pass';

/** Takes over what older producers inserted by themselves, as far as no worker was faster (design §6.2). */
export const adoptOlderRows = async (pass: Pass): Promise<void> => {
  const { limits, workflows } = pass.deps;
  const rows = await listAdoptableRows(pass.db, { rows: limits.sweepBatchRows });
  if (rows.length === 0) return;
  if (await hasQueueModeWorker(pass.db, limits)) {
    pass.add({ finding: 'adoption_is_off', subject: 'gh_automation_jobs', detail: `${rows.length} rows` });
    return;
  }
  const wanted: Adoption[] = [];
  for (const row of rows) {
    const judged = judgeAdoption(row);
    if ('adopt' in judged) wanted.push(judged.adopt);
    else pass.add({ finding: 'row_not_adopted', subject: row.jobId, detail: judged.problem });
  }
  const adopted = wanted.length === 0 ? [] : await adoptRows(pass.db, wanted, limits);
  for (const jobId of adopted)
    pass.add({ finding: 'job_adopted', subject: jobId, before: 'claimable by any worker', after: 'a job of ours' });
  // What is adopted leaves the list, so the next pass goes on; what is refused stays at its beginning.
  pass.bound('rows to adopt', rows, { isSettledByPass: adopted.length > 0 });
  // Either a worker was faster, or it is still there, since a job of ours has its task or key.
  const left = new Set(wanted.map(({ jobId }) => jobId).filter((jobId) => !adopted.includes(jobId)));
  if (left.size > 0) {
    for (const { jobId } of await listAdoptableRows(pass.db, { rows: limits.sweepBatchRows })) {
      if (left.has(jobId))
        pass.add({ finding: 'row_not_adopted', subject: jobId, detail: 'valet_task_id or idempotency_key: another job has it' });
    }
  }
  await pass.notify(adopted, async (jobId) => await workflows.ensureApplyJob(jobId, { reason: 'adopted', examineOwner: false }));
};
