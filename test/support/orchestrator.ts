import { existsSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Context } from '@temporalio/activity';
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Runtime, type Worker } from '@temporalio/worker';
import type { Client } from '@temporalio/client';
import type { Pool } from 'pg';
import { createOrchestratorActivities } from '../../activities';
import type { CallbackReply, CommandDeps } from '../../activities/deps';
import type { CallbackBody } from '../../src/contracts/callback';
import { limits as realLimits, type Limits } from '../../src/contracts/limits';
import { createHostReader, type HostAddressMap } from '../../src/ghosthands/client';
import { createLog } from '../../src/log';
import { projectRoot } from '../../src/dev/project-root';
import { createTunedWorker } from '../../workers/run-worker';
import { createWorkflowsPort } from '../../workers/workflows-port';

export interface OrchestratorOptions {
  pool: Pool;
  address: string;
  namespace: string;
  client: Client;
  taskQueue: string;
  callbackBaseUrl: string;
  addressMap?: HostAddressMap;
  limits?: Partial<Limits>;
  secrets?: CommandDeps['secrets'];
  send?: (url: string, body: CallbackBody) => Promise<CallbackReply>;
}

// Before the first worker of the process, or never: the SDK keeps its first logger.
Runtime.install({ logger: new DefaultLogger('ERROR') });

/** The real activities and workflows in this process, with the limits of the test. */
export const startOrchestrator = async (options: OrchestratorOptions): Promise<{ stop(): Promise<void>; activities: ReturnType<typeof createOrchestratorActivities> }> => {
  const limits = { ...realLimits, ...options.limits };
  const connection = await NativeConnection.connect({ address: options.address });
  const activities = createOrchestratorActivities({
    pool: options.pool,
    log: createLog({ level: process.env.TEST_LOG_LEVEL ?? 'error', process: 'test' }),
    limits,
    callbackBaseUrl: options.callbackBaseUrl,
    workflows: createWorkflowsPort(options.client, { deadlineMs: 2_000, taskQueue: options.taskQueue }),
    hosts: createHostReader({ addressMap: options.addressMap ?? {}, timeoutMs: limits.probeTimeoutMs, answerBytesMax: limits.probeAnswerBytesMax }),
    callbacks: { send: options.send ?? sendPlainly },
    cancelMeans: ['listener', 'recycle'],
    secrets: options.secrets ?? null,
    retentionMs: limits.retentionMs,
    heartbeat: () => Context.current().heartbeat(),
  });
  const worker: Worker = await createTunedWorker({
    connection,
    namespace: options.namespace,
    taskQueue: options.taskQueue,
    activities,
    workflowBundle: { codePath: await workflowBundle() },
  });
  const running = worker.run();
  return {
    activities,
    async stop() {
      worker.shutdown();
      await running;
      await connection.close();
    },
  };
};

/** One bundle for the whole run, whichever test file comes first. */
export const workflowBundle = async (): Promise<string> => {
  const file = path.join(projectRoot(), '.yardmaster', `test-workflows-${process.env.TEST_RUN_ID ?? 'none'}.js`);
  if (existsSync(file)) return file;
  const { code } = await bundleWorkflowCode({ workflowsPath: path.join(projectRoot(), 'workflows', 'index.ts'), logger: quiet });
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(`${file}.${process.pid}`, code);
  await rename(`${file}.${process.pid}`, file);
  return file;
};

const ignore = (): void => {};
const quiet = { log: ignore, trace: ignore, debug: ignore, info: ignore, warn: ignore, error: ignore };

const sendPlainly = async (url: string, body: CallbackBody): Promise<CallbackReply> => {
  try {
    const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
    if (!response.ok) return { kind: 'failed', error: `HTTP ${response.status}` };
    const answer = (await response.json()) as { skipped?: boolean };
    return { kind: answer.skipped === true ? 'skipped' : 'accepted' };
  } catch (error) {
    return { kind: 'failed', error: String(error) };
  }
};
