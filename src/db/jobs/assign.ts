import type { Limits } from '../../contracts/limits';
import { queuedStates, statesAtWork } from '../../domain/job-state';
import { findRefusal, isRowRefused } from '../outage';
import { queryNamed, type Queryable } from '../queryable';
import { inWords } from '../words';

/** Where the assigner listens (workers/assigner.ts). */
export const assignChannel = 'yardmaster_assign';

/** Part of every statement that makes a pair possible: a job that may be given, a worker that may be free. */
export const callAssigner = `pg_notify('${assignChannel}', '')`;

/** A job that this transaction gave to a worker. */
export interface Assignment {
  jobId: string;
  attemptId: string;
  workerId: string;
  host: string;
  /** A workflow has it, and waits for the news; any other finds it in the row. */
  hasOwner: boolean;
}

/** One statement pairs so many at most; the next one follows at once. It bounds what the statement reads where a whole fleet is idle. */
const pairsMax = 100;
/** Locked jobs are few: those that some step has right now. Beyond this the next look goes on. */
const passedOverMax = 100;
const missesMax = 100;
/** Of one run. Where every row is refused, the queue is not what is wrong. */
const refusedMax = 20;

/**
 * Pairs idle workers with waiting jobs and makes their attempt rows. With a holder it takes or renews the lease on the way. Null: somebody else has the lease.
 *
 * A job that somebody has locked is passed over, rather than waited for, and the next one of the queue has its worker: whoever changes it calls again. One
 * whose row the neighbours' table refuses is set aside for a while, and nobody else waits for it.
 */
export const assignWaitingJobs = async (
  db: Queryable,
  { callbackBaseUrl, limits, holder = null }: { callbackBaseUrl: string; limits: Limits; holder?: string | null },
): Promise<Assignment[] | null> => {
  const assigned: Assignment[] = [];
  const passedOver: string[] = [];
  let [misses, refusals] = [0, 0];
  /** One at a time while the one is looked for that is refused. */
  let most = pairsMax;
  const run = async (name: string, text: string): Promise<PairRow[]> => {
    const { rows } = await queryNamed<PairRow>(db, {
      name,
      text,
      values: [
        limits.workerHeartbeatFreshMs,
        limits.probeFreshMs,
        limits.deafWorkerMs,
        limits.claimMs,
        callbackBaseUrl,
        holder,
        limits.assignLeaseMs,
        passedOver,
        most,
      ],
    });
    return rows;
  };

  while (misses < missesMax) {
    const next = most === 1 ? (await run('pair_jobs', trialStatement)).at(0)?.pair?.jobId : undefined;
    let rows: PairRow[];
    try {
      rows = await run('assign_jobs', assignStatement);
    } catch (error) {
      if (!isRowRefused(error) || refusals++ > 2 * refusedMax) throw error;
      if (next !== undefined) await setAside(db, { jobId: next, error, limits });
      most = next === undefined ? 1 : pairsMax;
      continue;
    }
    const [{ isOurs, isTaken } = { isOurs: false, isTaken: true }] = rows;
    if (!isOurs && isTaken) return null;
    // Something has happened to the lease since the statement began: the next one sees what that was.
    if (!isOurs) {
      // Somebody may have emptied the table.
      if (misses++ === 0) await db.query('insert into yardmaster.assigner default values on conflict do nothing');
      continue;
    }
    const pairs = rows.flatMap(({ pair }) => pair ?? []);
    assigned.push(...pairs.flatMap(({ assignment }) => assignment ?? []));
    const locked = pairs.filter(({ assignment }) => assignment === null).map(({ jobId }) => jobId);
    passedOver.push(...locked);
    if ((pairs.length < most && locked.length === 0) || passedOver.length > passedOverMax) return assigned;
  }
  throw new Error('the lease of the assigner can be had by nobody: its row in yardmaster.assigner is always in the making');
};

/** It waits as after a failed attempt, and says why; then it is tried again, since whoever made the rule may have taken it back. */
const setAside = async (db: Queryable, { jobId, error, limits }: { jobId: string; error: unknown; limits: Limits }): Promise<void> => {
  const { code = '', constraint = null } = findRefusal(error) ?? {};
  const detail = `The table of GH refuses the row of its attempt: ${constraint ?? `SQLSTATE ${code}`}`;
  await db.query(
    `with before as (select job_id, reason from yardmaster.job where job_id = $1::uuid and ${isNext} for no key update),
     refused as (
       update yardmaster.job j set state = 'waiting', reason = 'row_refused', detail = $2, touched_at = now(),
         state_at = case when before.reason = 'row_refused' then state_at else now() end,
         not_before = now() + $3::int * interval '1 ms',
         deadline_at = case when state = 'accepted' then least(state_at + $4::bigint * interval '1 ms', job_deadline_at) else deadline_at end
       from before where j.job_id = before.job_id
       returning j.job_id, j.generation, before.reason as was
     )
     insert into yardmaster.job_transition (job_id, generation, state, reason, detail)
     select job_id, generation, 'waiting', 'row_refused', $2 from refused where was <> 'row_refused'`,
    [jobId, detail, limits.retryBackoffMaxMs, limits.waitForWorkerMs],
  );
};

interface PairRow {
  isOurs: boolean;
  /** By somebody whose lease has not run out. */
  isTaken: boolean;
  pair: { jobId: string; assignment: Assignment | null } | null;
}

/** The next one need not wait for the end of the lease. */
export const releaseAssigner = async (db: Queryable, holder: string): Promise<void> => {
  await db.query(`update yardmaster.assigner set leased_until = '-infinity' where holder = $1`, [holder]);
};

/**
 * Until the end of the transaction nothing is assigned: whoever assigns sees what commits with it, and this transaction what was assigned before. The whole of
 * it is short, or fails: everybody waits.
 */
export const lockAssigning = async (db: Queryable): Promise<void> => {
  await db.query(`select set_config('statement_timeout', '4s', true), set_config('idle_in_transaction_session_timeout', '4s', true)`);
  await db.query(`update yardmaster.assigner set holder = holder`);
};

/** A job whose back-off is over is next like any other. Mostly its own step says so; this is for those that no step has looked at. */
export const endBackOffs = async (db: Queryable): Promise<void> => {
  await queryNamed(db, {
    name: 'end_back_offs',
    text: `
     update yardmaster.job set not_before = null where job_id in (
       select job_id from yardmaster.job where state = 'waiting' and not_before <= now() for no key update skip locked)`,
    values: [],
  });
};

/** Of an attempt `a` and the probe `p` of its worker's host: is what it left behind still in that process? */
export const waiterIsLeft = `(a.has_left_waiter and coalesce(a.claimed_at, a.assigned_at) > p.process_started_at)`;
export const isDeaf = `(a.end_reason = 'not_claimed' and a.ended_at > p.process_started_at and a.ended_at > now() - $3::int * interval '1 ms')`;

/** Idle means all of design §4.4: fresh, legacy, running, not draining, without a job, not held, no twin, not tainted, not deaf. */
export const idleWorkers = `
  select p.worker_id, p.target_worker_id, yardmaster.machine_name(p.ec2_instance_id) as instance_id, p.host, p.freed_at
  from (
    -- What is cheap comes first: of a fleet at work hardly anybody is left for the rest.
    select r.worker_id, r.target_worker_id, r.ec2_instance_id, r.ec2_ip, p.host, p.freed_at, p.process_started_at
    from gh_worker_registry r join yardmaster.host_probe p on p.worker_id = r.worker_id
    where r.status = 'active'
      and r.last_heartbeat > now() - $1::int * interval '1 ms'
      and p.probed_at > now() - $2::int * interval '1 ms'
      and p.is_worker_up and p.dispatch_mode = 'legacy' and p.is_running and not p.is_draining and p.active_jobs = 0
      and r.worker_id not in (select worker_id from yardmaster.attempt where ended_at is null)
    offset 0
  ) p
  where p.host = yardmaster.machine_name(p.ec2_ip)
    and not exists (select from yardmaster.host_hold h
      where h.host in ('*', p.host, yardmaster.machine_name(p.ec2_instance_id)) and (h.expires_at is null or h.expires_at > now()))
    -- A cancel may still recycle it, and a recycle hits whatever runs there then: nothing is aimed at it before the cancel has ended.
    and p.worker_id not in (select c.route ->> 'workerId' from yardmaster.command c
      where c.kind = 'cancel' and c.ended_at is null and c.route ->> 'workerId' is not null)
    -- Twins: both processes behind one id would claim (ghosthands §2.6).
    and not exists (select from yardmaster.host_probe t
      where t.worker_id = p.worker_id and t.host <> p.host and t.is_worker_up and t.probed_at > now() - $2::int * interval '1 ms')
    -- A ghost waiter fills the pool of its process and hangs the next job; a worker that did not claim is deaf. A restart cures both.
    -- A cancel closes the attempt when the next process is there already, so a waiter belongs to the process that claimed.
    and not exists (select from yardmaster.attempt a where a.worker_id = p.worker_id and (${waiterIsLeft} or ${isDeaf}))`;

/** Of `yardmaster.job`: may be given to a worker now. The indexes job_turn… repeat it. */
const isNext = `state ${inWords(queuedStates)} and cancel_requested_at is null and not_before is null`;
/** Its public row is there, no attempt of an earlier life still is, and nobody had it locked a moment ago. `offset` keeps it a look by key, for the few that are read. */
const isReady = `exists (select from gh_automation_jobs g where g.id = job.job_id offset 0) and job_id not in (select job_id from taken) and job_id <> all($8::uuid[])`;
/** … names a worker. */
const namesWorker = `${isNext} and affinity <> 'any' and wanted_worker is not null`;
const isNextForOne = `${namesWorker} and ${isReady}`;
/** … goes to any worker. */
const isNextForAny = `${isNext} and (affinity <> 'strict' or wanted_worker is null) and ${isReady} and job_id not in (select job_id from pinned)`;
const turn = `priority, accepted_at, job_id`;
/** Users and their jobs as one value: joined as rows, each of those at work is compared with each at the head, since Postgres expects one of each. */
const asObject = `coalesce(jsonb_object_agg(user_id, jobs), '{}')`;
const jobsOf = (step: 'jobs_at_work' | 'busy' | 'busy_before', user: string): string =>
  `coalesce(((select jobs from ${step}) ->> ${user}.user_id::text)::int, 0)`;
const columns = `job_id, user_id, wanted_worker, affinity, priority, accepted_at`;

/**
 * So many of the queue by age, with the share that each would have of the workers; and whether they suffice: a job that was not read is younger than all of its
 * priority that were, so it comes first only where one of those that would get a worker has a greater share.
 */
const headOfQueue = (step: 'eldest' | 'elder', { rows, unless }: { rows: string; unless: string }): string => `
${step} as materialized (
  select ${columns} from yardmaster.job
  where ${isNextForAny}
  order by ${turn} limit (select case when ${unless} then 0 else ${rows} end from size)
),
${step}_ranked as materialized (
  -- Within this pairing each further job of a user counts like a running one, so that one user cannot take all workers at once.
  select e.*, ${jobsOf('busy', 'e')} + row_number() over (partition by e.user_id order by ${turn}) as share from ${step} e
),
${step}_suffice as materialized (
  select (select count(*) from ${step}) < (select ${rows} from size)
    or not exists (
      select from (select * from ${step}_ranked order by priority, share, accepted_at, job_id limit (select most from size)) best
      where best.share > 1 and best.priority = (select max(priority) from ${step})) as it_is
)`;

/**
 * Reads as many waiting jobs as there are idle workers, however many wait (design §4.4).
 *
 * Every step is materialized: Postgres expects one row of each, and would run a step again for each row of the next (2.4 s for one worker and 1,000
 * waiting jobs).
 */
const pairing = `
with recursive ours as (
  -- The lease is the lock as well. A transaction that has changed its row since our snapshot has held a host that the rest would not see held: by then the row
  -- is another version, which ends this statement with nothing.
  update yardmaster.assigner a set holder = coalesce($6::text, a.holder),
    leased_until = case when $6::text is null then a.leased_until else now() + $7::int * interval '1 ms' end
  from yardmaster.assigner seen
  where seen.xmin = a.xmin
    -- Where the clock was put back, a lease that lies further ahead than anybody can have taken it is nobody's.
    and ($6::text is null or a.holder = $6 or a.leased_until <= now() or a.leased_until > now() + $7::int * interval '1 ms')
  returning true as it_is
),
idle as materialized (select * from (${idleWorkers}) w where exists (select from ours)),
size as materialized (select least(count(*), $9::int) as most from idle),
taken as materialized (select job_id from yardmaster.attempt where ended_at is null and exists (select from idle)),
-- Of the jobs that name an idle worker the first of each user, at the lowest priority: it takes one. By index in the spelling of machines; a worker's id is
-- meant as it is written.
names as materialized (
  select distinct yardmaster.machine_name(name) as machine, case when not is_machine then name end as id
  from idle i cross join lateral (values (i.worker_id, false), (i.target_worker_id, false), (i.instance_id, true)) n(name, is_machine)
  -- Hardly any job names a worker.
  where name is not null and exists (select from yardmaster.job where ${namesWorker})
),
of_names as materialized (
  select distinct j.* from names n cross join lateral (
    with recursive first_of_user as (
      (select priority, user_id from yardmaster.job
       where ${isNextForOne} and yardmaster.machine_name(wanted_worker) = n.machine and wanted_worker = coalesce(n.id, wanted_worker)
       order by priority, user_id limit 1)
      union all
      select next.priority, next.user_id from first_of_user f cross join lateral (
        select priority, user_id from yardmaster.job
        where ${isNextForOne} and yardmaster.machine_name(wanted_worker) = n.machine and wanted_worker = coalesce(n.id, wanted_worker)
          and priority = f.priority and user_id > f.user_id
        order by priority, user_id limit 1
      ) next
    )
    select one.* from first_of_user f cross join lateral (
      select ${columns} from yardmaster.job
      where ${isNextForOne} and yardmaster.machine_name(wanted_worker) = n.machine and wanted_worker = coalesce(n.id, wanted_worker)
        and priority = f.priority and user_id = f.user_id
      order by accepted_at, job_id limit 1
    ) one
  ) j
),
at_work as materialized (
  select user_id, count(*) as jobs from yardmaster.job
  where state ${inWords(statesAtWork)} and exists (select from idle) group by user_id
),
jobs_at_work as materialized (select ${asObject} as jobs from at_work),
named as materialized (
  select n.*, yardmaster.machine_name(wanted_worker) as wanted_machine,
    row_number() over (order by priority, ${jobsOf('jobs_at_work', 'n')}, accepted_at, job_id) as turn
  from of_names n
),
pinned as materialized (
  select distinct on (job_id) job_id, user_id, worker_id from (
    select distinct on (i.worker_id) n.job_id, n.user_id, i.worker_id, n.turn
    from named n join idle i on n.wanted_worker in (i.worker_id, i.target_worker_id) or n.wanted_machine = i.instance_id
    order by i.worker_id, n.turn
  ) best order by job_id, turn
),
busy as materialized (
  select ${asObject} as jobs
  from (select user_id, sum(jobs) as jobs from (select user_id, jobs from at_work union all select user_id, 1 from pinned) each group by user_id) b
),
-- The first of the queue by age: enough where none of those who would get a worker has one of that priority already. Mostly the first few are. Where many wait,
-- jobs whose user has a worker already gather at the head (a hundred, beside a thousand workers and ten thousand users); then the first thousand are.
${headOfQueue('eldest', { rows: '4 * most + 64', unless: 'most = 0' })},
${headOfQueue('elder', { rows: '4 * most + 1000', unless: '(select it_is from eldest_suffice)' })},
-- Else the first of each user, from user to user by index, down to the priority at which there are enough users.
first_of_user as (
  (select ${columns}, 1 as users from yardmaster.job
   where ${isNextForAny} and not (select it_is from eldest_suffice) and not (select it_is from elder_suffice)
   order by priority, user_id, accepted_at, job_id limit 1)
  union all
  select next.*, f.users + 1
  from first_of_user f cross join size cross join lateral (
    select ${columns} from yardmaster.job
    where ${isNextForAny} and (priority, user_id) > (f.priority, f.user_id)
      and priority <= case when f.users < size.most then 2147483647 else f.priority end
    order by priority, user_id, accepted_at, job_id limit 1
  ) next
),
lowest as materialized (select max(priority) as priority from first_of_user),
-- All that comes before that priority, …
before_lowest as materialized (
  select j.* from first_of_user f cross join size cross join lateral (
    select ${columns} from yardmaster.job
    where ${isNextForAny} and priority = f.priority and user_id = f.user_id order by accepted_at, job_id limit size.most
  ) j where f.priority < (select priority from lowest)
),
busy_before as materialized (
  select ${asObject} as jobs from (select user_id, count(*) as jobs from before_lowest group by user_id) b
),
-- … and at it the users whose first job may get a worker: if that does not, none of theirs does.
users_at_lowest as materialized (
  select f.priority, f.user_id from first_of_user f
  where f.priority = (select priority from lowest)
  order by ${jobsOf('busy', 'f')} + ${jobsOf('busy_before', 'f')}, f.accepted_at, f.job_id limit (select most from size)
),
of_users as materialized (
  select * from before_lowest
  union all
  select j.* from users_at_lowest f cross join size cross join lateral (
    select ${columns} from yardmaster.job
    where ${isNextForAny} and priority = f.priority and user_id = f.user_id order by accepted_at, job_id limit size.most
  ) j
),
of_users_ranked as materialized (
  select u.*, ${jobsOf('busy', 'u')} + row_number() over (partition by u.user_id order by ${turn}) as share from of_users u
),
unpinned as materialized (
  select job_id, row_number() over (order by priority, share, accepted_at, job_id) as n from (
    select * from eldest_ranked where (select it_is from eldest_suffice)
    union all select * from elder_ranked where not (select it_is from eldest_suffice) and (select it_is from elder_suffice)
    union all select * from of_users_ranked
  ) ranked
  order by n limit (select most from size)
),
spare as materialized (
  select worker_id, row_number() over (order by freed_at nulls first, worker_id) as n
  from idle where worker_id not in (select worker_id from pinned)
),
pair as materialized (
  select job_id, worker_id from pinned
  union all
  select u.job_id, s.worker_id from unpinned u join spare s using (n)
  order by job_id limit $9::int
)`;

/** Whom the next statement would pair, without a row. Two of its values are used only there, and would have no type. */
const trialStatement = `${pairing}
select json_build_object('jobId', job_id) as pair from pair where $4::int is not null and $5::text is not null`;

const assignStatement = `${pairing},
free as (select job_id from yardmaster.job where job_id in (select job_id from pair) and ${isNext} for no key update skip locked),
assigned as (
  update yardmaster.job j set
    state = 'assigned', reason = 'assigned', detail = '', state_at = now(), touched_at = now(), attempts = j.attempts + 1,
    attempt_id = gen_random_uuid(), deadline_at = least(now() + $4::int * interval '1 ms', j.job_deadline_at)
  from free join pair using (job_id) where j.job_id = free.job_id
  returning j.job_id, j.generation, j.attempts, j.attempt_id, j.owner, pair.worker_id
),
attempt as (
  insert into yardmaster.attempt (attempt_id, job_id, generation, number, worker_id, host, instance_id)
  select a.attempt_id, a.job_id, a.generation, a.attempts, a.worker_id, i.host, i.instance_id
  from assigned a join idle i using (worker_id)
),
attempt_row as (
  -- Personal data stays in SQL. max_retries -1 survives the fallback to 3 in GH's queue mode; keys and task id stay with the job row.
  insert into gh_automation_jobs (id, user_id, created_by, job_type, target_url, task_description, input_data, metadata, resume_ref, tags,
    priority, timeout_seconds, max_retries, execution_mode, status, worker_affinity, target_worker_id, callback_url)
  select a.attempt_id, g.user_id, 'yardmaster', g.job_type, g.target_url, g.task_description, g.input_data,
    coalesce(g.metadata, '{}') || jsonb_build_object('yardmaster',
      jsonb_build_object('jobId', a.job_id, 'generation', a.generation, 'attemptNumber', a.attempts)),
    g.resume_ref, g.tags, g.priority, g.timeout_seconds, -1, g.execution_mode, 'pending', 'strict', a.worker_id,
    $5::text || '/v1/callbacks/ghosthands/' || a.attempt_id
  from assigned a join gh_automation_jobs g on g.id = a.job_id
  returning id, job_type, priority, user_id
),
entry as (
  insert into yardmaster.job_transition (job_id, generation, state, reason, attempt_id, worker_id)
  select job_id, generation, 'assigned', 'assigned', attempt_id, worker_id from assigned
)
select exists (select from ours) as "isOurs",
  $6::text is not null and exists (select from yardmaster.assigner
    where holder <> $6 and leased_until > now() and leased_until <= now() + $7::int * interval '1 ms') as "isTaken", told.*
from (values (1)) one left join (
  select json_build_object('jobId', p.job_id, 'assignment', case when a.job_id is not null then
      json_build_object('jobId', a.job_id, 'attemptId', a.attempt_id, 'workerId', a.worker_id, 'host', i.host, 'hasOwner', a.owner is not null) end) as pair,
    -- Where GH's own trigger notifies too, Postgres folds the two equal messages of one transaction into one.
    case when r.id is not null
      then pg_notify('gh_job_created', json_build_object('id', r.id, 'job_type', r.job_type, 'priority', r.priority, 'user_id', r.user_id)::text) end as notified
  from pair p left join assigned a using (job_id) left join attempt_row r on r.id = a.attempt_id left join idle i on i.worker_id = a.worker_id
) told on true`;
