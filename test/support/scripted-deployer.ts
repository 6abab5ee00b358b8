import { Context } from '@temporalio/activity';
import { NativeConnection } from '@temporalio/worker';
import type { Pool } from 'pg';
import type { DeployActivities } from '../../activities/deploys/deploys';
import type { DestinationActivities } from '../../activities/deploys/destinations';
import type { RecycleActivities } from '../../activities/fleet/recycle';
import type { DeployOutcome, DeployPhase, DeployView } from '../../src/contracts/deploy';
import { taskQueues, type LookAtDestinationResult } from '../../src/contracts/messages';
import { findDeploy } from '../../src/db/deploys/deploy-rows';
import { createTunedWorker } from '../../workers/run-worker';
import { appendLines, endDeploy } from './log-rows';
import { workflowBundle } from './workflow-bundle';

export interface ScriptedDeployer {
  /** Lets the deploys that run come to this end. */
  finish(outcome?: DeployOutcome): void;
  /** Those of the next test do not end by themselves again. */
  hold(): void;
  stop(): Promise<void>;
}

/** A queue's other side for tests of the gateway: the real workflows over real rows, with a Kamal that is only told of. Its one version is `v1`, for which `moving` stands. */
export const startScriptedDeployer = async ({
  pool,
  address,
  namespace,
  taskQueue = taskQueues.deploy,
  onInspect,
  onBreak,
}: {
  pool: Pool;
  address: string;
  namespace: string;
  taskQueue?: string;
  onInspect?: (input: {
    destination: string;
    want: string;
    version?: string;
  }) => LookAtDestinationResult | null | Promise<LookAtDestinationResult | null>;
  onBreak?: () => Promise<void>;
}): Promise<ScriptedDeployer> => {
  let finishAs: DeployOutcome | null = null;

  const activities: DeployActivities & DestinationActivities & RecycleActivities = {
    async readDestination({ destination, want, version = '' }) {
      const other = (await onInspect?.({ destination, want, version })) ?? null;
      if (other !== null) return other;
      if (destination !== 'staging') return { want: 'unknown_destination', destinations: ['staging'] };
      if (want === 'version') {
        const resolved = ['v1', 'moving', 'staging'].includes(version) ? 'v1' : null;
        return { want, version, service: 'ghosthands', resolved, problem: resolved === null ? `the registry has no tag ${version}` : null };
      }
      if (want === 'audit') {
        const at = '2026-03-07T10:00:00Z';
        return { want, audit: [{ at, performer: 'ada', destination, role: 'web', text: 'Booted app version v1' }] };
      }
      if (want === 'config') {
        return {
          want,
          kamal: { isOk: true, detail: '2.11.0' },
          config: { isOk: true, detail: '' },
          secrets: { isOk: false, detail: 'A is missing' },
        };
      }
      const hosts = [{ host: '127.0.0.11', roles: ['web', 'workers'], version: 'v0' }];
      await pool.query(
        `insert into yardmaster.destination (service, destination, hosts, lock) values ('ghosthands', $1, $2, null)
         on conflict (destination) do update set hosts = excluded.hosts, seen_at = now()`,
        [destination, JSON.stringify(hosts)],
      );
      const state = { service: 'ghosthands', destination, hosts, lock: null, problem: null, seenAt: new Date().toISOString() };
      return { want, state, destinations: ['staging'] };
    },
    async breakLock({ reason }) {
      await onBreak?.();
      return reason === 'refuse'
        ? { kind: 'refused', detail: 'a deploy of ours holds it' }
        : { kind: 'broken', detail: 'it was held by ada' };
    },
    async openDeploy({ deployId = '', owner }) {
      await pool.query(`update yardmaster.deploy set owner = $2 where deploy_id = $1`, [deployId, owner]);
      return await get(deployId);
    },
    preflightDeploy: async ({ deployId }) => {
      const { strategy, isDryRun } = await get(deployId);
      await appendLines(pool, deployId, ['The preflight is through'], { stream: 'yardmaster' });
      return isDryRun ? await end(deployId, 'planned') : await go(deployId, strategy.needsApproval ? 'approval' : 'drain');
    },
    async noteDeployWord({ deployId, kind, actor }) {
      if (kind === 'reject') return await end(deployId, 'rejected');
      if (kind === 'cancel') return await end(deployId, 'cancelled');
      await pool.query(`update yardmaster.deploy set approved_by = $2 where deploy_id = $1`, [deployId, actor]);
      return await go(deployId, 'drain');
    },
    noteDeployFailure: async ({ deployId }) => await end(deployId, 'broken'),
    async drainHosts({ deployId }) {
      while (finishAs === null) {
        Context.current().heartbeat();
        await Context.current().sleep(50);
      }
      return await end(deployId, finishAs);
    },
    holdHosts: async ({ deployId }) => await get(deployId),
    lockDestination: async ({ deployId }) => await get(deployId),
    stopBatch: async ({ deployId }) => await get(deployId),
    deployBatch: async ({ deployId }) => await get(deployId),
    verifyBatch: async ({ deployId }) => await get(deployId),
    soakCanary: async ({ deployId }) => await get(deployId),
    putBackHosts: async ({ deployId }) => await get(deployId),
    releaseDeploy: async ({ deployId }) => await get(deployId),
    readRecycleReadiness: async () => await Promise.resolve({ state: 'not_configured', detail: noCommand }),
    recycleWorker: async () => await Promise.resolve({ kind: 'not_configured', detail: noCommand }),
  };

  const get = async (deployId: string): Promise<DeployView> => {
    const deploy = await findDeploy(pool, deployId);
    if (deploy === null) throw new Error(`no deploy ${deployId}`);
    return deploy;
  };
  const go = async (deployId: string, phase: DeployPhase): Promise<DeployView> => {
    await pool.query(`update yardmaster.deploy set phase = $2, phase_at = now() where deploy_id = $1`, [deployId, phase]);
    return await get(deployId);
  };
  const end = async (deployId: string, outcome: DeployOutcome): Promise<DeployView> => {
    await endDeploy(pool, deployId, outcome);
    return await get(deployId);
  };

  const connection = await NativeConnection.connect({ address });
  const worker = await createTunedWorker({
    connection,
    namespace,
    taskQueue,
    activities,
    workflowBundle: { codePath: await workflowBundle() },
  });
  const running = worker.run();
  return {
    finish: (outcome = 'succeeded') => void (finishAs = outcome),
    hold: () => void (finishAs = null),
    async stop() {
      finishAs ??= 'cancelled';
      worker.shutdown();
      await running;
      await connection.close();
    },
  };
};

const noCommand = 'RECYCLE_COMMAND is not set for the deployer';
