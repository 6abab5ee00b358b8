import { eraseAttempts } from '../../src/db/attempts/attempts';
import { listOverwrites, repairOverwrites } from '../../src/db/jobs/late-overwrites';
import { listLeftCredentials } from '../../src/db/attempts/left-credentials';
import { clearLeftWaiters, endOrphanedAttempts, listOrphanedAttempts, listUnerasedJobs } from '../../src/db/attempts/orphaned-attempts';
import { refreshMirrors } from '../../src/db/jobs/mirror';
import { scrubResolution } from '../../src/db/commands/resume';
import { pruneOldRows } from '../../src/db/retention';
import { eraseExpiredSecrets } from '../../src/db/commands/secrets';
import { endOfOrphaned } from '../../src/domain/orphaned-attempt';
import type { Pass } from './pass';
import { retryPutBack } from './row-commands';

/** What is wrong in rows, ours and the public ones. */
export const repairRows = async (pass: Pass): Promise<void> => {
  const { limits } = pass.deps;
  await endOrphaned(pass);
  pass.count('left_waiter_gone', await clearLeftWaiters(pass.db));
  const mirrors = await pass.together(async (db) => await refreshMirrors(db, { beatMs: limits.mirrorBeatMs }, pass.deps));
  for (const { jobId, found, wanted } of mirrors) pass.add({ finding: 'mirror_repaired', subject: jobId, before: found, after: wanted });
  await repairLateOverwrites(pass);
};

/** What must not stay: copies of personal data, what a person typed, secrets, and what is older than the retention. */
export const eraseRows = async (pass: Pass): Promise<void> => {
  const { limits, retentionMs } = pass.deps;
  const rows = limits.sweepBatchRows;
  const unerased = pass.bound('attempts to erase', await listUnerasedJobs(pass.db, { rows }));
  for (const jobId of unerased) await eraseAttempts(pass.db, jobId);
  pass.count('attempts_erased', unerased.length);

  for (const { rowId, resolvedAt, now } of await listLeftCredentials(pass.db)) {
    // A moment that cannot be read is no reason to keep them.
    const ageMs = resolvedAt === null ? NaN : now.getTime() - Date.parse(resolvedAt);
    if (ageMs < limits.credentialsLeftMs) continue;
    await scrubResolution(pass.db, rowId);
    pass.add({ finding: 'credentials_scrubbed', subject: rowId });
  }
  pass.count('secrets_expired', await eraseExpiredSecrets(pass.db));
  pass.count('pruned', await pruneOldRows(pass.db, { olderThanMs: retentionMs, rows }));
};

const endOrphaned = async (pass: Pass): Promise<void> => {
  const { limits } = pass.deps;
  const orphaned = pass.bound('attempts left behind', await listOrphanedAttempts(pass.db, limits), {
    max: limits.fleetRowsMax,
    isSettledByPass: false,
  });
  const ends = orphaned.flatMap((attempt) => {
    const end = endOfOrphaned(attempt, limits);
    return end === null ? [] : [{ attemptId: attempt.attemptId, end }];
  });
  if (ends.length === 0) return;
  for (const { attemptId, jobId } of await endOrphanedAttempts(pass.db, ends))
    pass.add({ finding: 'loose_attempt_ended', subject: attemptId, detail: `of job ${jobId}`, before: 'open', after: 'ended' });
};

const repairLateOverwrites = async (pass: Pass): Promise<void> => {
  const { limits } = pass.deps;
  const overwrites = pass.bound('overwritten rows', await listOverwrites(pass.db, limits));
  if (overwrites.length === 0) return;
  const repairable = await retryPutBack(pass, overwrites);
  const repaired = await pass.together(async (db) => await repairOverwrites(db, repairable, pass.deps));
  for (const { jobId, found, wanted } of repaired)
    pass.add({ finding: 'late_overwrite_repaired', subject: jobId, before: found, after: wanted });
};
