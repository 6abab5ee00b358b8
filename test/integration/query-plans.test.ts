import { limits } from '../../src/contracts/limits';
import { acceptJob } from '../../src/db/jobs/accept-job';
import { assignWaitingJobs } from '../../src/db/jobs/assign';
import { listAudit, type AuditFilter } from '../../src/db/audit';
import { adoptRows, listAdoptableRows } from '../../src/db/jobs/adopt';
import { eraseAttempts, mirrorEvents, readAttempt } from '../../src/db/attempts/attempts';
import { enqueueCallback, leaseNextCallback } from '../../src/db/callbacks/callbacks';
import { listCommands, listStalledCommands } from '../../src/db/commands/commands';
import { fleetGauges } from '../../src/db/fleet/fleet-gauges';
import { countLiveJobs } from '../../src/db/jobs/job-counts';
import { findJobDetails, listJobs, type JobFilter } from '../../src/db/jobs/job-reads';
import { findJob } from '../../src/db/jobs/jobs';
import { listOverwrites } from '../../src/db/jobs/late-overwrites';
import { listLeftCredentials } from '../../src/db/attempts/left-credentials';
import { listLiveAttempts, reownAttempts } from '../../src/db/attempts/live-attempts';
import { clearLeftWaiters, endOrphanedAttempts, listOrphanedAttempts, listUnerasedJobs } from '../../src/db/attempts/orphaned-attempts';
import { findUntriedLeftProcess, listLeftProcesses, settleLeftProcesses } from '../../src/db/attempts/left-processes';
import { mirrorJob, refreshMirrors } from '../../src/db/jobs/mirror';
import { listJobsWithoutRow, listStalledCallbacks, listStalledJobs, listUnknownJobs } from '../../src/db/jobs/stalled-work';
import { findProductStatus } from '../../src/db/jobs/product-status';
import type { Queryable } from '../../src/db/queryable';
import { listRegistry, markWorkersOffline } from '../../src/db/fleet/registry';
import { recordCallback } from '../../src/db/callbacks/received-callbacks';
import { listRefusedWorkers, noteRefusedCallback } from '../../src/db/callbacks/refused-callbacks';
import { pruneOldRows } from '../../src/db/retention';
import { listOtherHosts } from '../../src/db/fleet/workers';
import { findLastSweep, isFullSweepDue } from '../../src/db/fleet/sweep-reports';
import { lookUpRoute } from '../../src/db/commands/routes';
import { countRowCommands, listRowCommands } from '../../src/db/commands/row-commands';
import { countWorkers } from '../../src/db/fleet/worker-counts';
import { withDatabase } from '../support/database';
import { makeNewJob, testActor } from '../support/new-job';
import { explainAll } from '../support/query-plans';
import { seedHistory } from '../support/seed-history';

/**
 * Every statement of ours that could grow with what has ended, run over a long past: it may read no table of the past from end to end, by no
 * kind of scan, and not more rows than the few that live account for.
 */
const database = withDatabase();
const endedJobs = 40_000;
const [liveJobs, workers] = [150, 100];
/** Generous: a statement that reads the past reads ten times as many. */
const rowsReadMax = 4_000;
const ids = { ended: '', live: '', attempt: '', user: '' };
beforeAll(async () => {
  await seedHistory(database.pool, { endedJobs, liveJobs, workers });
  const { rows } = await database.pool.query<typeof ids>(
    `select md5('job5000')::uuid::text as ended, job_id::text as live, attempt_id::text as attempt, md5('user7')::uuid::text as "user" from yardmaster.job where state = 'running' limit 1`,
  );
  Object.assign(ids, rows[0]);
});

const everyJob: JobFilter = { states: null, userId: null, taskId: null, workerId: null, needsAttention: false, after: null, rows: 50 };
const everyAct: AuditFilter = { actor: null, act: null, subject: null, since: null, before: null, rows: 50 };
const list =
  (filter: Partial<JobFilter>) =>
  async (db: Queryable): Promise<unknown> =>
    await listJobs(db, { ...everyJob, ...filter });
const halfWay = (): JobFilter['after'] => ({ atMicros: (Date.now() - 15 * 24 * 3_600_000) * 1_000, jobId: ids.ended });

test.each<[what: string, work: (db: Queryable) => Promise<unknown>]>([
  ['assigning', async (db) => await assignWaitingJobs(db, { callbackBaseUrl: 'http://yard.test', limits })],
  ['counting why a job waits', async (db) => await countWorkers(db, { wantedId: 'worker-7', limits })],
  ['reading a job with its attempt', async (db) => await findJob(db, ids.live, { lock: true })],
  ['reading an attempt with its events', async (db) => await readAttempt(db, ids.attempt)],
  ['mirroring a job', async (db) => await mirrorJob(db, ids.live, { showsWorkerId: false })],
  ['mirroring the events of a job', async (db) => await mirrorEvents(db, ids.live)],
  ['mirroring the events of all live attempts', async (db) => await mirrorEvents(db, null)],
  ['keeping the mirrors warm', async (db) => await refreshMirrors(db, { beatMs: limits.mirrorBeatMs }, { showsWorkerId: false })],
  ['finding commands in public rows', async (db) => await listRowCommands(db, { rows: 500 })],
  ['counting the commands that came by rows', async (db) => await countRowCommands(db, { withinMs: limits.aroundAlarmMs })],
  ['finding stalled jobs', async (db) => await listStalledJobs(db, limits)],
  ['finding the attempts that have not ended', async (db) => await listLiveAttempts(db, limits)],
  ['following a claim', async (db) => await reownAttempts(db, [{ attemptId: ids.attempt, from: 'worker-1', to: 'worker-none' }])],
  ['reading the registry', async (db) => await listRegistry(db, { rows: limits.fleetRowsMax })],
  [
    'marking workers offline',
    async (db) => await markWorkersOffline(db, [{ workerId: 'worker-1', status: 'active', beat: '2026-01-01', reason: 'silent' }]),
  ],
  ['finding public rows that were written over', async (db) => await listOverwrites(db, limits)],
  ['finding credentials that were left', async (db) => await listLeftCredentials(db)],
  ['finding rows to adopt', async (db) => await listAdoptableRows(db, { rows: 500 })],
  ['adopting rows', async (db) => await adoptRows(db, [{ jobId: ids.user, callbackUrl: null }], limits)],
  ['finding live jobs without a row', async (db) => await listJobsWithoutRow(db, { rows: 500 })],
  ['finding jobs without a record', async (db) => await listUnknownJobs(db, [ids.live, ids.ended, ids.user])],
  ['deciding the kind of a pass', async (db) => await isFullSweepDue(db, { everyMs: 25_000 })],
  ['reading the last full pass', async (db) => await findLastSweep(db, { kind: 'full' })],
  ['finding the job of a task', async (db) => await acceptJob(db, makeNewJob({ valetTaskId: 'task-live' }), testActor, limits)],
  ['noting a refused callback', async (db) => await noteRefusedCallback(db, ids.attempt)],
  ['finding workers with a wrong secret', async (db) => await listRefusedWorkers(db, { sinceMs: 86_400_000, rows: 500 })],
  ['finding stalled callbacks', async (db) => await listStalledCallbacks(db, { afterMs: 0, rows: 500 })],
  ['finding stalled commands', async (db) => await listStalledCommands(db, { afterMs: 0, rows: 500 })],
  ['finding orphaned attempts', async (db) => await listOrphanedAttempts(db, limits)],
  ['ending orphaned attempts', async (db) => await endOrphanedAttempts(db, [{ attemptId: ids.attempt, end: 'lost' }])],
  ['finding attempts to erase', async (db) => await listUnerasedJobs(db, { rows: 500 })],
  ['erasing the attempts of a job', async (db) => await eraseAttempts(db, ids.ended)],
  ['finding ghost waiters that are gone', async (db) => await clearLeftWaiters(db)],
  ['finding processes that were left behind', async (db) => await listLeftProcesses(db, limits)],
  ['finding the process that an ended job left behind', async (db) => await findUntriedLeftProcess(db, ids.ended)],
  ['settling what was left behind at a host', async (db) => await settleLeftProcesses(db, { workerId: 'worker-1', host: '10.0.0.1' })],
  ['finding other addresses of workers', async (db) => await listOtherHosts(db)],
  ['leasing the next callback', async (db) => await leaseNextCallback(db, { jobId: ids.live, generation: 1, lease: 'a', leaseMs: 1_000 })],
  [
    'writing a callback',
    async (db) => {
      const body = { job_id: ids.live, valet_task_id: null, status: 'paused' } as const;
      await enqueueCallback(
        db,
        { jobId: ids.live, generation: 1, status: 'paused', isFinal: false, isOncePerGeneration: true, body },
        limits,
      );
    },
  ],
  [
    'recording what GH says',
    async (db) => await recordCallback(db, { attemptId: ids.attempt, callback: { job_id: ids.attempt, status: 'completed' } }),
  ],
  ['listing the commands of a job', async (db) => await listCommands(db, { jobId: ids.live, rows: 50 })],
  ['listing who did what', async (db) => await listAudit(db, everyAct)],
  ['listing who did what to a job', async (db) => await listAudit(db, { ...everyAct, subject: ids.ended })],
  ['listing what somebody did who never did anything', async (db) => await listAudit(db, { ...everyAct, actor: 'nobody' })],
  ['looking up the route of a command', async (db) => await lookUpRoute(db, ids.live, { freshMs: 60_000 })],
  ['reading all of a job', async (db) => await findJobDetails(db, ids.ended, { rows: 50 })],
  ['reading a job for the product', async (db) => await findProductStatus(db, ids.ended)],
  ['counting live jobs', async (db) => await countLiveJobs(db)],
  ['measuring the fleet', async (db) => await Promise.all(fleetGauges(db, limits).map(async ({ read }) => await read()))],
  ['listing the newest jobs', list({})],
  ['listing jobs from the middle of the past', async (db) => await list({ after: halfWay() })(db)],
  ['listing the jobs of a user', async (db) => await list({ userId: ids.user })(db)],
  ['listing the jobs of a state that most have', list({ states: ['succeeded'] })],
  ['listing the jobs of a state that few have', list({ states: ['waiting'] })],
  ['listing the jobs of several states that few have', list({ states: ['running', 'assigned', 'waiting_human'] })],
  ['listing the jobs of a state of a user', async (db) => await list({ states: ['failed'], userId: ids.user })(db)],
  ['listing the jobs of a task', list({ taskId: 'task-5000' })],
  ['listing the jobs of a worker', list({ workerId: 'worker-7' })],
  ['listing the jobs of a worker that never had one', list({ workerId: 'worker-none' })],
  ['listing what needs a person', list({ needsAttention: true })],
])('%s costs the same however much has ended', async (_what, work) => {
  const plans = await explainAll(database.pool, work);
  expect(plans.length).toBeGreaterThan(0);
  expect(plans.filter(({ scannedWhole, rowsRead }) => rowsRead > rowsReadMax || scannedWhole.length > 0)).toEqual([]);
});

test('pruning reads what it deletes and no more', async () => {
  // The past is 29 days long: this is the oldest hour or so.
  const olderThanMs = 28.95 * 24 * 3_600_000;
  const plans = await explainAll(database.pool, async (db) => {
    expect(await pruneOldRows(db, { olderThanMs, rows: 50 })).toBe(50);
  });
  expect(plans.filter(({ scannedWhole, rowsRead }) => rowsRead > rowsReadMax || scannedWhole.length > 0)).toEqual([]);
});

test('a statement that reads the past is caught', async () => {
  const [plan] = await explainAll(database.pool, async (db) => await db.query(`select count(*) from yardmaster.job where detail = 'x'`));
  expect(plan?.scannedWhole).toEqual(['job']);
  expect(plan?.rowsRead).toBeGreaterThan(rowsReadMax);
});
