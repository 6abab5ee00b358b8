import type { DeployKind, DeployStrategy, DeployView } from '../../contracts/deploy';
import { recordAct, type Actor } from '../audit';
import { findLiveDeploy } from './deploy-rows';
import type { Queryable } from '../queryable';

/** A deploy that nobody has begun yet. */
export interface NewDeploy {
  deployId: string;
  service: string;
  destination: string;
  kind: DeployKind;
  /** As asked for. */
  version: string;
  /** The immutable tag that the registry said it means. */
  resolvedVersion: string;
  strategy: DeployStrategy;
  isDryRun: boolean;
  reason: string | null;
  idempotencyKey: string | null;
  requestHash: string;
}

/** What came of an accept: `replay` is the same request again, `conflict` another request under the same key. */
export type DeployAcceptance =
  | { kind: 'created' }
  | { kind: 'replay'; deployId: string }
  | { kind: 'conflict'; deployId: string }
  | { kind: 'under_way'; live: DeployView };

/** In a transaction. The unique live key decides between two that come at once; both keys are looked at only when it refused. */
export const acceptDeploy = async (db: Queryable, deploy: NewDeploy, by: Actor): Promise<DeployAcceptance> => {
  const { rowCount } = await db.query(
    `insert into yardmaster.deploy (deploy_id, service, destination, kind, version, resolved_version, strategy, is_dry_run, reason, actor, source,
       idempotency_key, request_hash)
     values ($1::uuid, $2, $3, $4, $5, $6, $7::jsonb, $8::boolean, $9, $10, $11, $12, $13)
     on conflict do nothing`,
    [
      deploy.deployId,
      deploy.service,
      deploy.destination,
      deploy.kind,
      deploy.version,
      deploy.resolvedVersion,
      JSON.stringify(deploy.strategy),
      deploy.isDryRun,
      deploy.reason,
      by.actor,
      by.source,
      deploy.idempotencyKey,
      deploy.requestHash,
    ],
  );
  if (rowCount !== 1) return await findObstacle(db, deploy, by);
  const { deployId, service, destination, kind, version, resolvedVersion, isDryRun, reason } = deploy;
  const detail = { service, destination, version, resolvedVersion, isDryRun, reason };
  await recordAct(db, { ...by, act: kind, subjectKind: 'deploy', subject: deployId, detail });
  return { kind: 'created' };
};

const findObstacle = async (db: Queryable, deploy: NewDeploy, by: Actor): Promise<DeployAcceptance> => {
  const earlier = await findAcceptedDeploy(db, deploy, by.actor);
  if (earlier !== null) return earlier;
  const live = await findLiveDeploy(db, deploy);
  // It ended between our insert and this read: the caller's retry is then a deploy of its own.
  if (live === null) throw new Error('the deploy that held this destination has just ended, accept again');
  return { kind: 'under_way', live };
};

/** What a request of this caller under this key has already become; null without a key, or under a new one. */
export const findAcceptedDeploy = async (
  db: Queryable,
  { idempotencyKey, requestHash }: Pick<NewDeploy, 'idempotencyKey' | 'requestHash'>,
  actor: string,
): Promise<Extract<DeployAcceptance, { kind: 'replay' | 'conflict' }> | null> => {
  if (idempotencyKey === null) return null;
  const { rows } = await db.query<{ deploy_id: string; request_hash: string | null }>(
    `select deploy_id, request_hash from yardmaster.deploy where idempotency_key = $1 and actor = $2`,
    [idempotencyKey, actor],
  );
  const found = rows[0];
  if (found === undefined) return null;
  return { kind: found.request_hash === requestHash ? 'replay' : 'conflict', deployId: found.deploy_id };
};

/**
 * Ends a deploy whose workflow could not be started, with its line in the log: one that began later, when nobody waits for it any more, would be a
 * surprise. A workflow that did get it meanwhile owns it, and is left alone.
 */
export const refuseUnstartedDeploy = async (
  db: Queryable,
  { deployId, detail }: { deployId: string; detail: string },
): Promise<boolean> => {
  const { rowCount } = await db.query(
    `with refused as (
       update yardmaster.deploy set outcome = 'refused', phase = 'done', phase_at = now(), ended_at = now(), touched_at = now(), detail = $2,
         last_seq = last_seq + 1
       where deploy_id = $1::uuid and ended_at is null and owner is null returning deploy_id, last_seq
     )
     insert into yardmaster.deploy_log (deploy_id, seq, stream, line) select deploy_id, last_seq, 'yardmaster', $2 from refused`,
    [deployId, detail],
  );
  return rowCount === 1;
};
