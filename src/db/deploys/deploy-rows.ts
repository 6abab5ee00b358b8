import { defaultStrategy, type DeployView } from '../../contracts/deploy';
import type { Queryable } from '../queryable';

/** One deploy as everybody sees it; null where no row has that id. */
export const findDeploy = async (db: Queryable, deployId: string): Promise<DeployView | null> => {
  const { rows } = await db.query<DeployRow>(`${selectDeploys} where d.deploy_id = $1`, [deployId]);
  return rows[0] === undefined ? null : toDeployView(rows[0]);
};

/** The one that runs for a service and destination. */
export const findLiveDeploy = async (
  db: Queryable,
  { service, destination }: { service: string; destination: string },
): Promise<DeployView | null> => {
  const { rows } = await db.query<DeployRow>(`${selectDeploys} where d.service = $1 and d.destination = $2 and d.ended_at is null`, [
    service,
    destination,
  ]);
  return rows[0] === undefined ? null : toDeployView(rows[0]);
};

/** Followed by the reader's own `where`, `order by` and `limit`. */
export const selectDeploys = `
  select d.deploy_id, d.service, d.destination, d.kind, d.version, d.resolved_version, d.strategy, d.is_dry_run, d.reason, d.actor, d.source,
    d.requested_at, d.phase, d.phase_at, d.direction, d.checks, d.jobs, d.disagreements, d.interrupted_jobs, d.approved_by, d.cancel_requested_by,
    d.lock_at, d.standstill,
    d.outcome, d.detail, d.ended_at, d.last_seq,
    coalesce((select jsonb_agg(jsonb_build_object('host', h.host, 'roles', h.roles, 'batch', h.batch, 'state', h.state,
        'versionBefore', h.version_before, 'versionNow', h.version_now, 'detail', h.detail) order by h.batch, h.host)
      from yardmaster.deploy_host h where h.deploy_id = d.deploy_id), '[]') as hosts
  from yardmaster.deploy d`;

export interface DeployRow extends Pick<
  DeployView,
  'service' | 'destination' | 'kind' | 'version' | 'strategy' | 'reason' | 'actor' | 'source' | 'phase' | 'direction' | 'detail' | 'outcome'
> {
  deploy_id: string;
  resolved_version: string | null;
  is_dry_run: boolean;
  requested_at: Date;
  phase_at: Date;
  checks: DeployView['checks'];
  jobs: DeployView['jobs'];
  disagreements: DeployView['disagreements'];
  interrupted_jobs: DeployView['interruptedJobs'];
  approved_by: string | null;
  cancel_requested_by: string | null;
  lock_at: string | null;
  standstill: DeployView['standstill'];
  ended_at: Date | null;
  last_seq: string;
  hosts: DeployView['hosts'];
}

export const toDeployView = (row: DeployRow): DeployView => ({
  deployId: row.deploy_id,
  service: row.service,
  destination: row.destination,
  kind: row.kind,
  version: row.version,
  resolvedVersion: row.resolved_version,
  // A row of before a field was thought of does as it did by itself.
  strategy: { ...defaultStrategy, ...row.strategy },
  isDryRun: row.is_dry_run,
  reason: row.reason,
  actor: row.actor,
  source: row.source,
  requestedAt: row.requested_at.toISOString(),
  phase: row.phase,
  phaseAt: row.phase_at.toISOString(),
  direction: row.direction,
  checks: row.checks,
  hosts: row.hosts,
  jobs: row.jobs,
  disagreements: row.disagreements,
  interruptedJobs: row.interrupted_jobs,
  approvedBy: row.approved_by,
  cancelRequestedBy: row.cancel_requested_by,
  lockAt: row.lock_at,
  standstill: row.standstill,
  outcome: row.outcome,
  detail: row.detail,
  endedAt: row.ended_at?.toISOString() ?? null,
  // Far below 2^53: a line is at least a byte.
  lastSeq: Number(row.last_seq),
});
