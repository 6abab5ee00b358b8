import { randomUUID } from 'node:crypto';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { temporal as proto } from '@temporalio/proto';
import { loadConfig, type TemporalConfig } from '../../src/config';
import { makeApplyJobId, workerCleanupScheduleId } from '../../src/contracts/ids';
import { keepSchedule } from '../../workers/keep-schedule';
import { searchAttributes } from '../../src/contracts/messages';
import { startApplyJob, wakeApplyJob } from '../../src/temporal/apply-job';
import { connectNative, createClient } from '../../src/temporal/connection';
import { ensureSearchAttributes, ensureWorkerCleanupSchedule } from '../../src/temporal/namespace';
import { withTemporal } from '../support/temporal';
import { until } from '../support/until';

const temporal = withTemporal();

const configFor = (address: string): TemporalConfig =>
  loadConfig({ DATABASE_URL: 'postgres://db/fleet', TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: temporal.namespace }, 'migrate')
    .temporal;

const newJob = () => ({ jobId: randomUUID(), userId: randomUUID(), requestId: 'request-1' });

/** A start is one try here, and a busy machine needs more than production gives it. */
const patience = { deadlineMs: 10_000 };

/** Search attributes that were just registered reach the server's own cache a little later. */
const startWhenReady = async (job = newJob()) => {
  await until(async () => (await startApplyJob(temporal.client, job)).kind === 'started', { what: 'the attributes are known' });
  return job;
};

describe('search attributes', () => {
  it('are registered by two processes at once, and again without complaint', async () => {
    const native = await connectNative(configFor(temporal.address));
    const { namespace } = temporal;
    await Promise.all([ensureSearchAttributes(native, namespace), ensureSearchAttributes(temporal.connection, namespace)]);
    await until(async () => (await ensureSearchAttributes(native, namespace)).length === 0, { what: 'all are listed' });
    const { customAttributes } = await temporal.connection.operatorService.listSearchAttributes({ namespace });
    expect(Object.keys(customAttributes)).toEqual(expect.arrayContaining(Object.values(searchAttributes).map(({ name }) => name)));
    await native.close();
  });
});

describe('starting an apply-job', () => {
  it('shows its job, user and request in the list of workflows', async () => {
    const job = await startWhenReady();
    const seen = await temporal.client.workflow.getHandle(makeApplyJobId(job)).describe();
    expect(seen.memo).toEqual({ requestId: 'request-1' });
    expect(seen.typedSearchAttributes.get(searchAttributes.userId)).toBe(job.userId);
    expect(seen.typedSearchAttributes.get(searchAttributes.state)).toBe('accepted');
    expect(await seen.staticSummary()).toBe(`Job ${job.jobId}`);
  });

  it('joins the workflow that runs already', async () => {
    const job = await startWhenReady();
    const first = await temporal.client.workflow.getHandle(makeApplyJobId(job)).describe();
    await expect(startApplyJob(temporal.client, job, patience)).resolves.toEqual({ kind: 'started' });
    const second = await temporal.client.workflow.getHandle(makeApplyJobId(job)).describe();
    expect(second.runId).toBe(first.runId);
  });

  it('starts anew after a workflow that was terminated', async () => {
    const job = await startWhenReady();
    await temporal.client.workflow.getHandle(makeApplyJobId(job)).terminate('test');
    await expect(startApplyJob(temporal.client, job, patience)).resolves.toEqual({ kind: 'started' });
  });

  it('does not repeat a job whose workflow has completed', async () => {
    const [job, taskQueue] = [newJob(), temporal.unique('completing')];
    await expect(startApplyJob(temporal.client, job, { ...patience, taskQueue })).resolves.toEqual({ kind: 'started' });
    await completeWithoutCode(taskQueue);
    await expect(startApplyJob(temporal.client, job, { ...patience, taskQueue })).resolves.toEqual({ kind: 'ended' });
  });

  it.each<[string, () => Promise<string>]>([
    ['refuses connections', refusingAddress],
    ['accepts and says nothing', silentAddress],
  ])('gives up in time when the server %s', async (_how, address) => {
    const client = createClient(configFor(await address()));
    const started = await startApplyJob(client, newJob(), { deadlineMs: 800 });
    expect(started).toMatchObject({ kind: 'unreachable', error: expect.any(Error) });
    await expect(wakeApplyJob(client, { jobId: randomUUID(), reason: 'test' }, { deadlineMs: 100 })).resolves.toBe(false);
    await client.connection.close();
  });

  it('reaches a server that comes back within seconds', async () => {
    const target = temporal.address;
    const address = await refusingAddress();
    const client = createClient(configFor(address));
    await startApplyJob(client, newJob(), { deadlineMs: 200 });
    const [host, port] = target.split(':');
    const proxy = createServer((inbound) => forward(inbound, { host: host ?? '', port: Number(port) }));
    servers.push(proxy);
    proxy.listen(Number(address.split(':')[1]), '127.0.0.1');
    await once(proxy, 'listening');
    const isStarted = async (): Promise<boolean> => (await startApplyJob(client, newJob())).kind === 'started';
    await expect(until(isStarted, { what: 'the client has reconnected' })).resolves.toBe(true);
    await client.connection.close();
  });
});

describe('waking an apply-job', () => {
  it('is heard by the workflow that runs', async () => {
    const job = await startWhenReady();
    await expect(wakeApplyJob(temporal.client, { jobId: job.jobId, reason: 'callback' }, patience)).resolves.toBe(true);
    const { events } = await temporal.client.workflow.getHandle(makeApplyJobId(job)).fetchHistory();
    expect(events?.map((event) => event.workflowExecutionSignaledEventAttributes?.signalName)).toContain('wake');
  });

  it('is no error when nobody hears it', async () => {
    await expect(wakeApplyJob(temporal.client, { jobId: randomUUID(), reason: 'callback' })).resolves.toBe(false);
  });
});

describe('the schedule of the sweep', () => {
  const describeSchedule = async () => await temporal.client.schedule.getHandle(workerCleanupScheduleId).describe();

  it('is made once, skips what overlaps, and is brought up to date', async () => {
    await ensureWorkerCleanupSchedule(temporal.client, { everyMs: 60_000 });
    await ensureWorkerCleanupSchedule(temporal.client);
    expect(await describeSchedule()).toMatchObject({
      spec: { intervals: [{ every: 10_000 }] },
      policies: { overlap: 'SKIP', catchupWindow: 60_000 },
      action: { workflowType: 'workerCleanup', taskQueue: 'yardmaster' },
      state: { paused: false },
    });
  });

  it('keeps what a person changed of it, until another release makes it anew', async () => {
    const handle = temporal.client.schedule.getHandle(workerCleanupScheduleId);
    await handle.update((present) => ({ ...present, spec: { intervals: [{ every: 45_000 }] } }));
    expect(await ensureWorkerCleanupSchedule(temporal.client)).toBe('kept');
    expect(await describeSchedule()).toMatchObject({ spec: { intervals: [{ every: 45_000 }] } });
    expect(await ensureWorkerCleanupSchedule(temporal.client, { everyMs: 20_000 })).toBe('updated');
    expect(await describeSchedule()).toMatchObject({ spec: { intervals: [{ every: 20_000 }] } });
  });

  it('is made again by whoever looks after it when somebody has deleted it, and then by one alone', async () => {
    await temporal.client.schedule.getHandle(workerCleanupScheduleId).delete();
    const ending = new AbortController();
    const warned: string[] = [];
    const log = { warn: (message: string) => warned.push(message) };
    const keeping = [1, 2].map(async () => await keepSchedule(temporal.client, { log, signal: ending.signal, everyMs: 50 }));
    expect(await until(async () => await describeSchedule().catch(() => null), { what: 'it is there again' })).toMatchObject({
      spec: { intervals: [{ every: 10_000 }] },
      state: { paused: false },
    });
    ending.abort();
    await Promise.all(keeping);
    expect(warned).toEqual(['The schedule of the sweep was gone, and is made again']);
  });

  it('stays paused when a person paused it', async () => {
    await temporal.client.schedule.getHandle(workerCleanupScheduleId).pause('maintenance by ada');
    await ensureWorkerCleanupSchedule(temporal.client);
    expect((await describeSchedule()).state).toMatchObject({ paused: true, note: 'maintenance by ada' });
  });
});

const servers: Server[] = [];
const sockets: Socket[] = [];

afterAll(() => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers) server.close();
});

async function listen(server: Server): Promise<string> {
  server.on('connection', (socket) => sockets.push(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return `127.0.0.1:${address.port}`;
}

async function refusingAddress(): Promise<string> {
  const server = createServer();
  const address = await listen(server);
  server.close();
  await once(server, 'close');
  return address;
}

async function silentAddress(): Promise<string> {
  const server = createServer();
  servers.push(server);
  return await listen(server);
}

function forward(inbound: Socket, target: { host: string; port: number }): void {
  const outbound = connect(target);
  sockets.push(inbound, outbound);
  inbound.pipe(outbound).pipe(inbound);
  for (const end of [inbound, outbound]) end.on('error', () => undefined);
}

/** Answers the first workflow task by hand, so that no workflow code is needed to complete it. */
async function completeWithoutCode(taskQueue: string): Promise<void> {
  const { connection, namespace } = temporal;
  const task = await connection.withDeadline(Date.now() + 10_000, () =>
    connection.workflowService.pollWorkflowTaskQueue({ namespace, taskQueue: { name: taskQueue }, identity: 'test' }),
  );
  await connection.workflowService.respondWorkflowTaskCompleted({
    namespace,
    taskToken: task.taskToken,
    commands: [
      {
        commandType: proto.api.enums.v1.CommandType.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION,
        completeWorkflowExecutionCommandAttributes: {},
      },
    ],
    identity: 'test',
  });
}
