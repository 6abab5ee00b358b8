import { PassThrough } from 'node:stream';
import { Worker } from '@temporalio/worker';
import { loadConfig } from '../../src/config';
import { sensitive } from '../../src/domain/sensitive';
import { createLog } from '../../src/log';
import { connectNative, installSdkRuntime } from '../../src/temporal/connection';
import { withTemporal } from '../support/temporal';

const temporal = withTemporal();

it('writes what the SDK says as lines of our log, without secrets', async () => {
  const destination = new PassThrough();
  const taskQueue = 'queue-of-the-secret-0123456789';
  await installSdkRuntime(
    createLog({ level: 'info', process: 'orchestrator', secrets: [sensitive('the-secret-0123456789')], destination }),
  );
  const { temporal: config } = loadConfig(
    { DATABASE_URL: 'postgres://db/fleet', TEMPORAL_ADDRESS: temporal.address, TEMPORAL_NAMESPACE: temporal.namespace },
    'migrate',
  );
  const connection = await connectNative(config);
  const worker = await Worker.create({ connection, namespace: config.namespace, taskQueue, activities: { nothing: () => undefined } });
  await worker.runUntil(Promise.resolve());
  await connection.close();

  const lines = String(destination.read())
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines).toContainEqual(
    expect.objectContaining({
      process: 'orchestrator',
      level: 'info',
      message: 'Worker state changed',
      sdkComponent: 'worker',
      taskQueue: 'queue-of-[redacted]',
    }),
  );
});
