import type { DeployKind, DeployLock, DeployOutcome, DeployPhase, DeployView, DestinationView } from '../../contracts/deploy';
import { selectDeploys, toDeployView, type DeployRow } from './deploy-rows';
import type { Queryable } from '../queryable';

export interface DeployFilter {
  destination: string | null;
  /** Only those that have not ended, or only those that have. */
  isLive: boolean | null;
  outcomes: readonly DeployOutcome[] | null;
  /** Only those that wait for a person: for an approval, for the lock, or broken with nothing after them that has put it right. */
  needsAttention?: boolean;
  after: DeployCursor | null;
  rows: number;
}

/** Where a page ended, in microseconds since 1970, which a JavaScript date would lose. */
export interface DeployCursor {
  atMicros: number;
  deployId: string;
}

/** Newest first; `next` is where the next page begins. */
export const listDeploys = async (db: Queryable, filter: DeployFilter): Promise<{ deploys: DeployView[]; next: DeployCursor | null }> => {
  const { rows } = await db.query<DeployRow & { cursor_at: string }>(
    `select page.*, (extract(epoch from requested_at) * 1000000)::bigint as cursor_at
     from (${selectDeploys}
       where ($1::text is null or d.destination = $1) and ($2::boolean is null or (d.ended_at is null) = $2)
         and ($3::text[] is null or d.outcome = any($3))
         and (not $7::boolean
           or d.ended_at is null and (d.standstill is not null or d.phase = 'approval')
           or d.outcome = 'broken' and not exists (
             select from yardmaster.deploy later where later.destination = d.destination and later.requested_at > d.requested_at
               and later.outcome in ('succeeded', 'rolled_back', 'broken')))
         and ($4::bigint is null or (d.requested_at, d.deploy_id) < (timestamptz 'epoch' + $4 * interval '1 microsecond', $5::uuid))
       order by d.requested_at desc, d.deploy_id desc limit $6::int) page
     order by requested_at desc, deploy_id desc`,
    [
      filter.destination,
      filter.isLive,
      filter.outcomes,
      filter.after?.atMicros ?? null,
      filter.after?.deployId ?? null,
      filter.rows + 1,
      filter.needsAttention ?? false,
    ],
  );
  const last = rows.length > filter.rows ? rows[filter.rows - 1] : undefined;
  return {
    deploys: rows.slice(0, filter.rows).map(toDeployView),
    next: last === undefined ? null : { atMicros: Number(last.cursor_at), deployId: last.deploy_id },
  };
};

/** A destination as the deployer last saw it, and the deploy that is under way there. */
export interface KnownDestinationView extends DestinationView {
  deploy: { deployId: string; kind: DeployKind; version: string; actor: string; phase: DeployPhase; requestedAt: string } | null;
}

export const listDestinations = async (db: Queryable): Promise<KnownDestinationView[]> => {
  const { rows } = await db.query<DestinationRow>(
    `select s.service, s.destination, s.hosts, s.lock, s.problem, s.seen_at, d.deploy_id, d.kind, d.version, d.actor, d.phase, d.requested_at
     from yardmaster.destination s
     left join yardmaster.deploy d on d.service = s.service and d.destination = s.destination and d.ended_at is null
     order by s.destination`,
  );
  return rows.map((row) => ({
    service: row.service,
    destination: row.destination,
    hosts: row.hosts,
    lock: row.lock,
    problem: row.problem,
    seenAt: row.seen_at.toISOString(),
    deploy:
      row.deploy_id === null
        ? null
        : {
            deployId: row.deploy_id,
            kind: row.kind,
            version: row.version,
            actor: row.actor,
            phase: row.phase,
            requestedAt: row.requested_at.toISOString(),
          },
  }));
};

interface DestinationRow {
  service: string;
  destination: string;
  hosts: DestinationView['hosts'];
  lock: DeployLock | null;
  problem: string | null;
  seen_at: Date;
  deploy_id: string | null;
  kind: DeployKind;
  version: string;
  actor: string;
  phase: DeployPhase;
  requested_at: Date;
}
