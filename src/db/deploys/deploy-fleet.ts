import type { HealthFacts } from '../../domain/health';
import { describeStanding, type JobOnHost, type StandingJob } from '../../domain/deploy-drain';
import type { Limits } from '../../contracts/limits';
import { lockAssigning } from '../jobs/assign';
import { makeDeployHolder, personHolder } from '../fleet/holds';
import { isOrphaned } from '../attempts/orphaned-attempts';
import type { Queryable } from '../queryable';

/** What a deploy asks and says of the fleet: its hosts' workers, holds and jobs. The deploy and its answers keep Kamal's spelling, which its commands need. */
const nameOfHost = `yardmaster.machine_name(h.host)`;
/** Kamal's host is the registry's address, or its instance. */
const atHost = `${nameOfHost} in (yardmaster.machine_name(r.ec2_ip), yardmaster.machine_name(r.ec2_instance_id))`;

/**
 * Holds hosts for a deploy, or prolongs that. In a transaction, behind the lock that assigns: what was assigned before is in the rows by now, and
 * nothing is assigned afterwards. Answers the hosts whose hold had lapsed or was none.
 */
export const holdForDeploy = async (
  db: Queryable,
  {
    deployId,
    hosts,
    reason,
    actor,
    leaseMs,
  }: { deployId: string; hosts: readonly string[]; reason: string; actor: string; leaseMs: number },
): Promise<string[]> => {
  await lockAssigning(db);
  const holder = makeDeployHolder({ deployId });
  const { rows } = await db.query<{ host: string }>(
    `select h.host from unnest($1::text[]) as h(host)
     where not exists (select from yardmaster.host_hold o where o.host = ${nameOfHost} and o.holder = $2 and o.expires_at > now())`,
    [hosts, holder],
  );
  await db.query(
    `insert into yardmaster.host_hold (host, holder, reason, actor, expires_at)
     select distinct ${nameOfHost}, $2, $3, $4, now() + $5::bigint * interval '1 ms' from unnest($1::text[]) as h(host)
     on conflict (host, holder) do update set expires_at = excluded.expires_at, reason = excluded.reason`,
    [hosts, holder, reason, actor, leaseMs],
  );
  return rows.map(({ host }) => host);
};

/** Keeps what is held held, and says that somebody works on the deploy; a hold that has lapsed stays so. */
export const keepDeploy = async (db: Queryable, { deployId, leaseMs }: { deployId: string; leaseMs: number }): Promise<void> => {
  await db.query(
    `with touched as (update yardmaster.deploy set touched_at = now() where deploy_id = $3::uuid and ended_at is null)
     update yardmaster.host_hold set expires_at = now() + $2::bigint * interval '1 ms' where holder = $1 and expires_at > now()`,
    [makeDeployHolder({ deployId }), leaseMs, deployId],
  );
};

/** A person must look before these get jobs again. One whom a person holds already stays so, for that person's reason. */
export const holdForPerson = async (
  db: Queryable,
  { hosts, reason, actor }: { hosts: readonly string[]; reason: string; actor: string },
): Promise<void> => {
  await db.query(
    `insert into yardmaster.host_hold as o (host, holder, reason, actor) select distinct ${nameOfHost}, $2, $3, $4 from unnest($1::text[]) as h(host)
     on conflict (host, holder) do update set reason = excluded.reason, actor = excluded.actor, expires_at = null where o.expires_at is not null`,
    [hosts, personHolder, reason, actor],
  );
};

/** Jobs with an attempt at one of the hosts that has not ended, whether it was claimed yet or not. */
export const listJobsOnHosts = async (db: Queryable, hosts: readonly string[]): Promise<JobOnHost[]> => {
  const { rows } = await db.query<Omit<JobOnHost, 'state'> & StandingJob>(
    `select j.job_id as "jobId", a.attempt_id as "attemptId", a.worker_id as "workerId", h.host,
       j.state, j.human_kind as "humanKind", ${isOrphaned} as "isOver"
     from unnest($1::text[]) as h(host)
     join yardmaster.attempt a on a.ended_at is null and ${nameOfHost} in (a.host, a.instance_id)
     join yardmaster.job j on j.job_id = a.job_id
     order by h.host, a.assigned_at`,
    [hosts],
  );
  return rows.map(({ state, humanKind, isOver, ...job }) => ({
    ...job,
    state: describeStanding({ workerId: job.workerId, state, humanKind, isOver }),
  }));
};

/** The processes behind them were stopped, so they take no job until they register again. Answers their names. */
export const markWorkersStopped = async (db: Queryable, hosts: readonly string[]): Promise<string[]> => {
  const { rows } = await db.query<{ worker_id: string }>(
    `update gh_worker_registry r set status = 'offline' from unnest($1::text[]) as h(host)
     where ${atHost} and r.status <> 'offline' returning r.worker_id`,
    [hosts],
  );
  return rows.map(({ worker_id: workerId }) => workerId);
};

/** Addresses of workers that have beaten lately, and the hosts of the destination's last deploy where that left them broken. */
export const listFleetHosts = async (
  db: Queryable,
  { destination, freshMs, awayMs }: { destination: string; freshMs: number; awayMs: number },
): Promise<{ registered: { host: string; isPresent: boolean }[]; broken: string[] }> => {
  const { rows: registered } = await db.query<{ host: string; isPresent: boolean }>(
    `select yardmaster.machine_name(ec2_ip) as host, bool_or(status <> 'offline' or last_heartbeat > now() - $1::bigint * interval '1 ms') as "isPresent"
     from gh_worker_registry
     where ec2_ip ~ '^[0-9a-fA-F]*[.:]' and (status <> 'offline' or last_heartbeat > now() - $2::bigint * interval '1 ms') group by 1`,
    [freshMs, awayMs],
  );
  const { rows: broken } = await db.query<{ host: string }>(
    `select ${nameOfHost} as host from (
       select deploy_id, outcome from yardmaster.deploy where destination = $1 and outcome in ('succeeded', 'rolled_back', 'broken')
       order by requested_at desc, deploy_id desc limit 1
     ) last join yardmaster.deploy_host h using (deploy_id) where last.outcome = 'broken'`,
    [destination],
  );
  return { registered, broken: broken.map(({ host }) => host) };
};

/** Of these hosts, the ones from which no worker has ever registered: nobody can tell what runs there, or hold it. */
export const listUnregisteredHosts = async (db: Queryable, hosts: readonly string[]): Promise<string[]> => {
  const { rows } = await db.query<{ host: string }>(
    `select h.host from unnest($1::text[]) as h(host) where not exists (select from gh_worker_registry r where ${atHost})`,
    [hosts],
  );
  return rows.map(({ host }) => host);
};

/** What registry and probes say of the deploy's hosts. `isWorkerFresh`: a beat of the process that answers, which began after the host's stop. */
export const readDeployHealth = async (
  db: Queryable,
  deployId: string,
  limits: Pick<Limits, 'workerHeartbeatFreshMs' | 'probeFreshMs'>,
): Promise<{ host: string; registry: HealthFacts['registry']; ports: HealthFacts['ports']; isWorkerFresh: boolean }[]> => {
  const { rows } = await db.query<{
    host: string;
    workers: number;
    present: number;
    beating: number;
    is_api_up: boolean | null;
    is_worker_up: boolean | null;
    is_fresh: boolean;
  }>(
    `select h.host, coalesce(w.workers, 0) as workers, coalesce(w.present, 0) as present, coalesce(w.beating, 0) as beating,
       p.is_api_up, p.is_worker_up, coalesce(w.is_fresh, false) and coalesce(p.process_started_at > h.changed_at, false) as is_fresh
     from yardmaster.deploy_host h
     left join yardmaster.host_probe p on p.host = ${nameOfHost} and p.probed_at > now() - $3::int * interval '1 ms'
     left join lateral (
       select count(*)::int as workers, (count(*) filter (where r.status <> 'offline'))::int as present,
         (count(*) filter (where r.status <> 'offline' and r.last_heartbeat > now() - $2::int * interval '1 ms'))::int as beating,
         bool_or(r.status = 'active' and r.last_heartbeat > h.changed_at and r.worker_id = p.worker_id) as is_fresh
       from gh_worker_registry r where ${atHost}
     ) w on true
     where h.deploy_id = $1::uuid order by h.batch, h.host`,
    [deployId, limits.workerHeartbeatFreshMs, limits.probeFreshMs],
  );
  return rows.map((row) => ({
    host: row.host,
    registry: registryOf(row),
    ports: row.is_api_up === null || row.is_worker_up === null ? null : { isApiUp: row.is_api_up, isWorkerUp: row.is_worker_up },
    isWorkerFresh: row.is_fresh,
  }));
};

const registryOf = ({ workers, present, beating }: { workers: number; present: number; beating: number }): HealthFacts['registry'] => {
  if (workers === 0) return 'none';
  if (present === 0) return 'offline';
  if (beating === 0) return 'silent';
  return beating === present ? 'beating' : 'some';
};
