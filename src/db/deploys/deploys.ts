import type {
  DeployCheck,
  DeployHost,
  DeployKind,
  DeployOutcome,
  DeployPhase,
  DeployStrategy,
  DeployView,
  Disagreement,
  InterruptedJob,
} from '../../contracts/deploy';
import type { Queryable } from '../queryable';

/** A deploy that the CLI, the Web UI or the sweep started without a row. */
export interface OpenedDeploy {
  deployId: string;
  service: string;
  destination: string;
  kind: DeployKind;
  version: string;
  strategy: DeployStrategy;
  isDryRun: boolean;
  reason: string | null;
  actor: string;
  source: string;
  owner: string;
}

/** False when the row is there already, or another deploy of the destination is under way. */
export const insertDeploy = async (db: Queryable, deploy: OpenedDeploy): Promise<boolean> => {
  const { rowCount } = await db.query(
    `insert into yardmaster.deploy (deploy_id, service, destination, kind, version, strategy, is_dry_run, reason, actor, source, owner)
     values ($1::uuid, $2, $3, $4, $5, $6::jsonb, $7, $8, $9, $10, $11) on conflict do nothing`,
    [
      deploy.deployId,
      deploy.service,
      deploy.destination,
      deploy.kind,
      deploy.version,
      JSON.stringify(deploy.strategy),
      deploy.isDryRun,
      deploy.reason,
      deploy.actor,
      deploy.source,
      deploy.owner,
    ],
  );
  return rowCount === 1;
};

/** The workflow that runs now owns it; an ended one is left as it is. */
export const takeOverDeploy = async (db: Queryable, { deployId, owner }: { deployId: string; owner: string }): Promise<void> => {
  await db.query(
    `update yardmaster.deploy set owner = $2, touched_at = now(), phase = case when phase = 'accepted' then 'preflight' else phase end
     where deploy_id = $1::uuid and ended_at is null`,
    [deployId, owner],
  );
};

/** From here on only this run of an activity writes; what an older one still says hits nothing. False: the deploy has ended. */
export const claimDeploy = async (db: Queryable, { deployId, runner }: { deployId: string; runner: string }): Promise<boolean> => {
  const { rowCount } = await db.query(
    `update yardmaster.deploy set runner = $2::uuid, touched_at = now() where deploy_id = $1::uuid and ended_at is null`,
    [deployId, runner],
  );
  return rowCount === 1;
};

export interface DeployChange {
  phase?: DeployPhase;
  direction?: DeployView['direction'];
  resolvedVersion?: string;
  checks?: DeployCheck[];
  jobs?: DeployView['jobs'];
  detail?: string;
  addDisagreements?: Disagreement[];
  addInterruptedJobs?: InterruptedJob[];
  /** Null: from now on it has none. */
  lockAt?: string | null;
  standstill?: DeployView['standstill'];
}

/** What a step found and where the deploy is now. False: another run has taken over, or it has ended. */
export const changeDeploy = async (
  db: Queryable,
  { deployId, runner }: { deployId: string; runner: string },
  change: DeployChange,
): Promise<boolean> => {
  const { rowCount } = await db.query(
    `update yardmaster.deploy set
       phase = coalesce($3, phase), phase_at = case when $3 <> phase then now() else phase_at end,
       direction = coalesce($4, direction), resolved_version = coalesce($5, resolved_version),
       checks = coalesce($6::jsonb, checks), jobs = coalesce($7::jsonb, jobs), detail = coalesce($8, detail),
       disagreements = disagreements || coalesce($9::jsonb, '[]'), interrupted_jobs = interrupted_jobs || coalesce($10::jsonb, '[]'),
       lock_at = case when $11 then $12 else lock_at end, standstill = case when $13 then $14::jsonb else standstill end, touched_at = now()
     where deploy_id = $1::uuid and runner = $2::uuid and ended_at is null`,
    [
      deployId,
      runner,
      change.phase ?? null,
      change.direction ?? null,
      change.resolvedVersion ?? null,
      toJson(change.checks),
      toJson(change.jobs),
      change.detail ?? null,
      toJson(change.addDisagreements),
      toJson(change.addInterruptedJobs),
      change.lockAt !== undefined,
      change.lockAt ?? null,
      change.standstill !== undefined,
      toJson(change.standstill ?? undefined),
    ],
  );
  return rowCount === 1;
};

/** The plan of the last preflight takes the place of the one before it. In a transaction that has changed the deploy, whose lock it needs. */
export const replaceHosts = async (
  db: Queryable,
  deployId: string,
  hosts: readonly Pick<DeployHost, 'host' | 'roles' | 'batch' | 'versionBefore'>[],
): Promise<void> => {
  await db.query(`delete from yardmaster.deploy_host where deploy_id = $1::uuid`, [deployId]);
  await db.query(
    `insert into yardmaster.deploy_host (deploy_id, host, roles, batch, version_before, version_now)
     select $1::uuid, h.host, array(select jsonb_array_elements_text(h.roles)), h.batch, h."versionBefore", h."versionBefore"
     from jsonb_to_recordset($2::jsonb) as h(host text, roles jsonb, batch int, "versionBefore" text)`,
    [deployId, JSON.stringify(hosts)],
  );
};

/**
 * In a transaction that has changed the deploy. `changed_at` keeps the moment of the stop, whatever comes of the host: a process that started
 * before it is an old one.
 */
export const moveHosts = async (
  db: Queryable,
  deployId: string,
  hosts: readonly (Pick<DeployHost, 'host' | 'state'> & Partial<Pick<DeployHost, 'versionNow' | 'detail'>>)[],
): Promise<void> => {
  await db.query(
    `update yardmaster.deploy_host d set state = h.state, detail = coalesce(h.detail, ''),
       version_now = case when h."hasVersion" then h."versionNow" else d.version_now end,
       changed_at = case when h.state in ('held', 'stopped', 'put_back') then now() else d.changed_at end
     from jsonb_to_recordset($2::jsonb) as h(host text, state text, detail text, "hasVersion" boolean, "versionNow" text)
     where d.deploy_id = $1::uuid and d.host = h.host`,
    [deployId, JSON.stringify(hosts.map((host) => ({ ...host, hasVersion: host.versionNow !== undefined })))],
  );
};

/** A yes counts while it is asked for. False: the phase is another one by now. */
export const approveDeploy = async (
  db: Queryable,
  { deployId, actor, phase }: { deployId: string; actor: string; phase: DeployPhase },
): Promise<boolean> => {
  const { rowCount } = await db.query(
    `update yardmaster.deploy set approved_by = $2, phase = $3, phase_at = now(), touched_at = now()
     where deploy_id = $1::uuid and phase = 'approval' and ended_at is null`,
    [deployId, actor, phase],
  );
  return rowCount === 1;
};

/** The first one who asks is named. */
export const recordCancelRequest = async (
  db: Queryable,
  { deployId, actor, reason }: { deployId: string; actor: string; reason: string | null },
): Promise<void> => {
  await db.query(
    `update yardmaster.deploy set cancel_reason = case when cancel_requested_by is null then $3 else cancel_reason end,
       cancel_requested_by = coalesce(cancel_requested_by, $2), touched_at = now()
     where deploy_id = $1::uuid and ended_at is null`,
    [deployId, actor, reason],
  );
};

/** From here on the way leads back, wherever a run of an activity thinks that it is. */
export const turnDeploy = async (
  db: Queryable,
  { deployId, phase, detail, check }: { deployId: string; phase: DeployPhase; detail: string; check: DeployCheck | null },
): Promise<void> => {
  await db.query(
    `update yardmaster.deploy set direction = 'back', phase = $2, phase_at = now(), detail = $3, runner = null, touched_at = now(),
       checks = checks || coalesce($4::jsonb, '[]')
     where deploy_id = $1::uuid and ended_at is null and direction = 'forward'`,
    [deployId, phase, detail, check === null ? null : JSON.stringify([check])],
  );
};

/** A deploy that stands still on its way back is left as it is: nothing more is put back. False: it goes on by now. */
export const leaveDeploy = async (db: Queryable, { deployId, detail }: { deployId: string; detail: string }): Promise<boolean> => {
  const { rowCount } = await db.query(
    `update yardmaster.deploy set phase = 'release', phase_at = now(), detail = $2, runner = null, standstill = null, touched_at = now()
     where deploy_id = $1::uuid and ended_at is null and phase = 'compensate' and standstill is not null`,
    [deployId, detail],
  );
  return rowCount === 1;
};

export const endDeploy = async (
  db: Queryable,
  { deployId, runner, outcome, detail }: { deployId: string; runner: string; outcome: DeployOutcome; detail: string },
): Promise<boolean> => {
  const { rowCount } = await db.query(
    `update yardmaster.deploy set outcome = $3, detail = $4, phase = 'done', phase_at = now(), ended_at = now(), touched_at = now(),
       standstill = null
     where deploy_id = $1::uuid and runner = $2::uuid and ended_at is null`,
    [deployId, runner, outcome, detail],
  );
  return rowCount === 1;
};

const toJson = (value: unknown): string | null => (value === undefined ? null : JSON.stringify(value));
