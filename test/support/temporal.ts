import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time';
import { historyToJSON } from '@temporalio/common/lib/proto-utils';
import { projectRoot } from '../../src/project-root';
import { findTemporalCli } from '../../dev/tools/temporal-cli';
import { startTemporalServer, type RunningTemporal } from '../../dev/tools/temporal-server';
import { dataConverter } from '../../src/temporal/connection';
import { hasFailedTest, testFileName, writeArtifact } from './failure';

export interface TestTemporal {
  address: string;
  /** Made for this file, so that fixed task queues, workflow ids and schedules of other files cannot meet ours. */
  namespace: string;
  client: Client;
  connection: Connection;
  /** A task queue, workflow id or other name that nobody else uses. */
  unique(prefix: string): string;
}

/** Histories written for one failed file; more would be noise. */
const historiesMax = 50;

/**
 * A namespace of the run's Temporal server for the tests of a file, or with `settings` (dynamic configuration) of a server of its own. When one of them
 * fails, the histories go to test/.artifacts.
 */
export function withTemporal({ settings }: { settings?: Record<string, string> } = {}): TestTemporal {
  let made: TestTemporal | undefined;
  let own: RunningTemporal | undefined;
  const get = (): TestTemporal => made ?? unavailable();
  beforeAll(async () => {
    own = settings && (await startOwnServer(settings));
    const address = own?.address ?? process.env.TEST_TEMPORAL_ADDRESS;
    if (!address) throw new Error('No test server: tests with servers live outside of test/unit');
    const connection = await Connection.connect({ address });
    const namespace = uniqueName(testFileName());
    await connection.workflowService.registerNamespace({ namespace, workflowExecutionRetentionPeriod: msToTs('72h') });
    made = { address, namespace, connection, client: new Client({ connection, namespace, dataConverter }), unique: uniqueName };
  });
  afterAll(async () => {
    if (!made) return;
    if (hasFailedTest()) await writeHistories(made);
    await made.connection.close();
    await own?.stop();
  });
  return {
    get address() {
      return get().address;
    },
    get namespace() {
      return get().namespace;
    },
    get client() {
      return get().client;
    },
    get connection() {
      return get().connection;
    },
    unique: uniqueName,
  };
}

async function startOwnServer(settings: Record<string, string>): Promise<RunningTemporal> {
  const dir = path.join(projectRoot(), '.yardmaster/test', uniqueName(`temporal-${testFileName()}`));
  const quiet = (): void => undefined;
  return await startTemporalServer({ cli: await findTemporalCli({ say: quiet }), dir, port: 0, uiPort: null, settings, say: quiet });
}

function uniqueName(prefix: string): string {
  return `${prefix}-${randomBytes(4).toString('hex')}`;
}

function unavailable(): never {
  throw new Error('withTemporal() gives the server inside of tests and hooks only');
}

async function writeHistories({ client, namespace }: TestTemporal): Promise<void> {
  let written = 0;
  for await (const { workflowId, runId } of client.workflow.list()) {
    if (written === historiesMax) break;
    const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
    const file = await writeArtifact(`${namespace}--${workflowId}--${runId}.json`, historyToJSON(history));
    if (written++ === 0) process.stderr.write(`The histories of the failed test are beside ${file}\n`);
  }
}
