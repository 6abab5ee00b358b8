import { callAssigner } from '../jobs/assign';
import type { Queryable } from '../queryable';

/** What a host's ports said; `null` fields where the worker port gave no usable answer. */
export interface HostProbe {
  host: string;
  isApiUp: boolean;
  imageTag: string | null;
  isWorkerUp: boolean;
  workerId: string | null;
  dispatchMode: string | null;
  isRunning: boolean | null;
  isDraining: boolean | null;
  activeJobs: number | null;
  uptimeMs: number | null;
  /** When the probe was sent, by our clock. */
  sentAtMs: number;
  problem: string | null;
}

/**
 * Writes a pass of probes, each as old as its question: a start time is the database's clock minus that and the uptime, so the earliest possible one.
 * Jitter never moves it, a restart does.
 */
export const saveProbes = async (db: Queryable, probes: HostProbe[], { jitterMs }: { jitterMs: number }): Promise<void> => {
  await db.query(
    `with saved as (insert into yardmaster.host_probe as p (host, probed_at, is_api_up, is_worker_up, worker_id, dispatch_mode, is_running, is_draining, active_jobs,
       process_started_at, problem, said_since, image_tag)
     select host, now(), "isApiUp", "isWorkerUp", "workerId", "dispatchMode", "isRunning", "isDraining", "activeJobs",
       now() - ("ageMs" + "uptimeMs") * interval '1 ms', problem, now(), "imageTag"
     from jsonb_to_recordset($1::jsonb) as probe(host text, "isApiUp" boolean, "imageTag" text, "isWorkerUp" boolean, "workerId" text, "dispatchMode" text,
       "isRunning" boolean, "isDraining" boolean, "activeJobs" int, "uptimeMs" float8, "ageMs" float8, problem text)
     on conflict (host) do update set
       probed_at = excluded.probed_at, is_api_up = excluded.is_api_up, is_worker_up = excluded.is_worker_up, worker_id = excluded.worker_id,
       dispatch_mode = excluded.dispatch_mode, is_running = excluded.is_running, is_draining = excluded.is_draining,
       -- What was asked before the worker was freed says what was before.
       active_jobs = case when p.freed_at > now() - (select t."ageMs" from jsonb_to_recordset($1::jsonb) as t(host text, "ageMs" float8)
           where t.host = excluded.host limit 1) * interval '1 ms'
         then p.active_jobs else excluded.active_jobs end,
       process_started_at = case
         when excluded.process_started_at is null then p.process_started_at
         when p.worker_id is distinct from excluded.worker_id or p.process_started_at is null then excluded.process_started_at
         when excluded.process_started_at > p.process_started_at + $2::int * interval '1 ms' then excluded.process_started_at
         else p.process_started_at end,
       problem = excluded.problem,
       -- Of a host that is down the last known one.
       image_tag = coalesce(excluded.image_tag, p.image_tag),
       said_since = case when (p.worker_id, p.problem) is not distinct from (excluded.worker_id, excluded.problem)
         then coalesce(p.said_since, now()) else now() end
     returning host)
     select ${callAssigner} from saved limit 1`,
    [JSON.stringify(probes.map(({ sentAtMs, ...probe }) => ({ ...probe, ageMs: Date.now() - sentAtMs }))), jitterMs],
  );
};

/** Since when a host's port has been refused at every probe, or has shown this worker at every one; null when the last probe said something else. */
export const findUnchangedSince = async (db: Queryable, host: string, answer: { workerId: string } | 'refused'): Promise<Date | null> => {
  const { rows } = await db.query<{ unchangedSince: Date | null }>(
    `select said_since as "unchangedSince" from yardmaster.host_probe
     where host = $1 and case when $2::text is null then problem = 'refused' else worker_id = $2 end`,
    [host, answer === 'refused' ? null : answer.workerId],
  );
  return rows[0]?.unchangedSince ?? null;
};

/** Other addresses than the registered one at which a live worker answered last: a twin's row names one machine alone (ghosthands §2.6). */
export const listOtherHosts = async (db: Queryable): Promise<string[]> => {
  const { rows } = await db.query<{ host: string }>(
    `select distinct p.host from gh_worker_registry r join yardmaster.host_probe p on p.worker_id = r.worker_id
     where r.status <> 'offline' and p.is_worker_up and p.probed_at > now() - interval '1 day' and p.host is distinct from yardmaster.machine_name(r.ec2_ip)`,
  );
  return rows.map(({ host }) => host);
};

/**
 * These hosts in the order in which they are asked: first those whose worker answered last, since jobs depend on them and they cost milliseconds, then those
 * that nobody has asked for the longest time. So a pass that does not come to its end leaves others for the next one each time.
 */
export const listInTurn = async (db: Queryable, hosts: readonly string[]): Promise<string[]> => {
  const { rows } = await db.query<{ host: string }>(
    `select host from unnest($1::text[]) as asked(host) left join yardmaster.host_probe p using (host)
     order by coalesce(p.is_worker_up, false) desc, p.probed_at nulls first, host`,
    [hosts],
  );
  return rows.map(({ host }) => host);
};
