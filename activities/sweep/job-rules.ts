import { endCommand, listStalledCommands, updateCommand, type Command } from '../../src/db/commands/commands';
import { countLiveJobs } from '../../src/db/jobs/job-counts';
import { findJob, listLiveJobs } from '../../src/db/jobs/jobs';
import { listLiveAttempts, reownAttempts } from '../../src/db/attempts/live-attempts';
import {
  listJobsWithoutRow,
  listStalledCallbacks,
  listStalledJobs,
  listUnknownJobs,
  type StalledJob,
} from '../../src/db/jobs/stalled-work';
import { listRefusedWorkers } from '../../src/db/callbacks/refused-callbacks';
import { endPersonCommands } from '../../src/db/commands/person-commands';
import { sweepAttempts } from '../../src/domain/attempt-sweep';
import type { PersonMessage } from '../deps';
import type { Pass } from './pass';

/** How far back a pass looks for workflows that were terminated or failed; the next pass looks again, and starting twice changes nothing. */
const abortedSinceMs = 600_000;

/** Live attempts whose worker looks dead, and jobs whose rows say what no hint brought, in every pass: how soon a lost job goes on depends on it. */
export const repairJobs = async (pass: Pass): Promise<void> => {
  const { limits, workflows } = pass.deps;
  const attempts = pass.bound('live attempts', await listLiveAttempts(pass.db, limits), {
    max: limits.fleetRowsMax,
    isSettledByPass: false,
  });
  const { examine, reowned, findings } = sweepAttempts(attempts, limits);
  for (const finding of findings) pass.add(finding);
  const changed = reowned.length === 0 ? [] : await reownAttempts(pass.db, reowned);
  for (const { attemptId, from, to } of reowned) {
    const isChanged = changed.includes(attemptId);
    pass.add({
      finding: 'foreign_claim',
      subject: attemptId,
      detail: isChanged ? '' : `${to} has another attempt`,
      before: from,
      after: isChanged ? to : from,
    });
  }
  for (const { jobId, finding } of examine) pass.add({ finding, subject: jobId });
  await pass.notify(examine, async ({ jobId, finding }) => await workflows.ensureApplyJob(jobId, { reason: finding, examineOwner: true }));

  const examined = new Set(examine.map(({ jobId }) => jobId));
  const listed = pass.bound('neglected jobs', await listStalledJobs(pass.db, limits));
  const neglected = listed.filter(({ jobId }) => !examined.has(jobId));
  const isStart = ({ finding }: StalledJob): boolean => finding === 'accepted_without_workflow';
  const toStart = neglected.filter(isStart).slice(0, limits.sweepStartsMax);
  const stalled = [...neglected.filter((job) => !isStart(job)), ...pass.bound('accepted jobs', toStart, { max: limits.sweepStartsMax })];
  for (const { jobId, finding } of stalled) pass.add({ finding, subject: jobId });
  await pass.notify(stalled, async ({ jobId, finding }) => await workflows.ensureApplyJob(jobId, { reason: finding, examineOwner: false }));
};

/** Jobs, commands and callbacks that no workflow has, and workflows that no row has. */
export const repairWorkflows = async (pass: Pass): Promise<void> => {
  const { log, limits, workflows } = pass.deps;
  const rows = limits.sweepBatchRows;

  const aborted = await workflows.listAbortedApplyJobs(new Date(Date.now() - abortedSinceMs)).catch((error: unknown) => {
    log.warn('Aborted workflows cannot be listed', { error });
    return [];
  });
  const stuck = await workflows.listStuckWorkflows().catch((error: unknown) => {
    log.warn('Workflows whose task fails cannot be listed', { error });
    return [];
  });
  // Starting them again would join the run that hangs, whatever has broken it: only a person, or another release, helps.
  for (const { workflowId, problem } of stuck) pass.add({ finding: 'workflow_stuck', subject: workflowId, detail: problem });

  const live = await listLiveJobs(pass.db, aborted);
  for (const jobId of live) pass.add({ finding: 'workflow_aborted', subject: jobId });
  await pass.notify(live, async (jobId) => await workflows.ensureApplyJob(jobId, { reason: 'workflow_aborted', examineOwner: false }));

  const callbacks = pass.bound('callbacks', await listStalledCallbacks(pass.db, { afterMs: limits.untouchedMs / 10, rows }));
  for (const { jobId, generation } of callbacks)
    pass.add({ finding: 'callbacks_without_workflow', subject: jobId, detail: `generation ${generation}` });
  await pass.notify(callbacks, async ({ jobId, generation }) => await workflows.ensureDeliverCallbacks(jobId, generation));

  const refused = pass.bound(
    'workers with a wrong secret',
    await listRefusedWorkers(pass.db, { sinceMs: limits.callbackRefusedMs, rows }),
    {
      isSettledByPass: false,
    },
  );
  for (const { workerId, attempts, refusedAt } of refused)
    pass.add({ finding: 'callbacks_refused', subject: workerId, detail: `of ${attempts} attempts, last at ${refusedAt.toISOString()}` });

  const commands = pass.bound('commands', await listStalledCommands(pass.db, { afterMs: limits.commandUntouchedMs, rows }));
  const started = commands.flatMap(({ jobId, kind }) => (kind === 'cancel' || kind === 'resume' ? { jobId, kind } : []));
  for (const { jobId, kind } of started) pass.add({ finding: 'command_without_workflow', subject: jobId, detail: kind });
  await pass.notify(started, async (command) => await workflows.ensureCommand(command));
  await repeatPersonMessages(pass, commands);

  for (const jobId of await listJobsWithoutRow(pass.db, { rows })) pass.add({ finding: 'job_row_gone', subject: jobId });
  const withoutRow = await findWorkflowsWithoutRow(pass);
  for (const jobId of withoutRow) pass.add({ finding: 'workflow_without_row', subject: jobId });
  // It looks at its row, finds none, and ends.
  await pass.notify(withoutRow, async (jobId) => await workflows.wake(jobId, 'workflow_without_row'));
};

/** A retry or resolve is a message to its job: what came of it is written down, or it is sent again, as it was accepted. */
const repeatPersonMessages = async (pass: Pass, commands: readonly Command[]): Promise<void> => {
  const repeated: PersonMessage[] = [];
  for (const { commandId, jobId, kind, generation, submitted, actor, reason } of commands) {
    if (kind !== 'retry' && kind !== 'resolve') continue;
    const found = { finding: 'command_without_workflow', subject: jobId, detail: kind, before: 'open' } as const;
    // Accepted before there was a column for it.
    const isForgotten = kind === 'resolve' && submitted === null;
    const ended = await pass.together(async (db) => {
      const job = await findJob(db, jobId, { lock: true });
      const noted = job === null ? [] : await endPersonCommands(db, job);
      if (noted.some((each) => each.kind === kind)) return true;
      if (isForgotten) await endCommand(db, { commandId, outcome: 'refused', detail: forgotten });
      else await updateCommand(db, { commandId });
      return isForgotten;
    });
    pass.add({ ...found, after: ended ? 'ended' : 'sent again' });
    if (!ended) repeated.push({ jobId, generation, kind, actor, submitted: submitted ?? false, note: reason });
  }
  await pass.notify(repeated, async (message) => await pass.deps.workflows.repeatMessage(message));
};

const forgotten = 'It is not known any more whether it was submitted or not: send it again';

/** The list is asked for only while more workflows run than jobs live, which is so for the seconds after an end as well. */
const findWorkflowsWithoutRow = async ({ db, deps: { log, workflows } }: Pass): Promise<string[]> => {
  const live = (await countLiveJobs(db)).reduce((sum, { jobs }) => sum + jobs, 0);
  const running = await workflows.listRunningApplyJobs({ moreThan: live }).catch((error: unknown) => {
    log.warn('Running workflows cannot be listed', { error });
    return [];
  });
  return running.length === 0 ? [] : await listUnknownJobs(db, running);
};
