import { createServer } from 'node:http';
import { Client, type Pool } from 'pg';
import type { SimulatorOptions } from '../../dev/gh/config';
import { type Simulator, startSimulator } from '../../dev/gh/simulator';
import { withDatabase } from '../support/database';
import { until } from '../support/until';
import { makeGate } from '../support/gate';

const serviceSecret = 'simulated-secret';
const userId = '7b1c5a52-2f0a-4f3e-9c58-3f0d8f6a1c11';
/** 10 s become 500 ms: heartbeats, polls and waits stay longer than what they are compared with here. */
const timeScale = 0.05;

type HostOptions = Partial<SimulatorOptions['hosts'][number]>;

const database = withDatabase({ variant: 'staging' });
const mainDatabase = withDatabase({ variant: 'main-repaired' });

let fleet: Simulator;
let receiver: CallbackReceiver;

beforeAll(async () => {
  receiver = await receiveCallbacks();
});
afterAll(() => receiver.close());
beforeEach(async () => {
  // A row that one test left behind would be the first that the next one's worker claims.
  for (const { pool } of [database, mainDatabase]) await pool.query('truncate gh_automation_jobs, gh_worker_registry cascade');
});
afterEach(() => fleet.stop());

describe('claiming', () => {
  it('gives a strict row to its target and to nobody else', async () => {
    fleet = await startFleet([{ workerId: 'first' }, { workerId: 'second' }]);
    const rows = await Promise.all(Array.from({ length: 4 }, () => insertRow({ url: '/quick?ms=20', target: 'second' })));
    for (const rowId of rows) await untilStatus(rowId, 'completed');
    expect(new Set(eventsOf('claimed').map((entry) => entry.workerId))).toEqual(new Set(['second']));
    expect(
      eventsOf('submitted')
        .map((entry) => entry.rowId)
        .toSorted(),
    ).toEqual(rows.toSorted());
  });

  it('leaves a strict row without a target alone', async () => {
    fleet = await startFleet([{ workerId: 'first' }]);
    const untouched = await insertRow({ url: '/quick?ms=1', target: null });
    const later = await insertRow({ url: '/quick?ms=1', target: 'first' });
    await untilStatus(later, 'completed');
    expect(await readRow(untouched)).toMatchObject({ status: 'pending', worker_id: null });
  });

  it('ignores the table in queue mode, and says so on the status port', async () => {
    fleet = await startFleet([{ workerId: 'queued', dispatchMode: 'queue' }, { workerId: 'first' }]);
    const ignored = await insertRow({ url: '/quick?ms=1', target: 'queued' });
    await untilStatus(await insertRow({ url: '/quick?ms=1', target: 'first' }), 'completed');
    expect(await readRow(ignored)).toMatchObject({ status: 'pending' });
    expect((await askWorker('queued', 'status')).body).toMatchObject({ dispatch_mode: 'queue', active_jobs: 0, worker_id: 'queued' });
  });
});

describe('an application', () => {
  it('ends completed with result, cost, events and callbacks', async () => {
    fleet = await startFleet([{ workerId: 'first' }]);
    const rowId = await insertRow({ url: '/quick?ms=60', target: 'first' });
    const row = await untilStatus(rowId, 'completed');
    expect(row.result_data).toMatchObject({ submitted: true, cost: { action_count: 4 } });
    expect(row).toMatchObject({ status_message: 'Executing apply handler (Magnitude mode)', action_count: 4, final_mode: 'magnitude' });
    const payloads = await untilCallbacks(rowId, 2);
    expect(wordsOf(payloads)).toEqual(['completed', 'running']);
    const completed = payloads.find(({ status }) => status === 'completed');
    expect(completed).toMatchObject({ worker_id: 'first', cost: { action_count: 4 }, result_data: { submitted: true } });
    expect(receiver.secrets()).toEqual(new Set([serviceSecret]));
    const events = await readEventTypes(rowId);
    for (const type of ['job_started', 'progress_update', 'step_started', 'step_completed', 'job_completed', 'status_change']) {
      expect(events).toContain(type);
    }
    await until(() => eventsOf('ended').length === 1, { what: 'the browser is closed' });
    expect(trailOf(rowId)).toEqual(['claimed', 'started', 'form_opened', 'submitted', 'ended']);
  });

  it('sends failed for every attempt that GH repeats by itself', async () => {
    fleet = await startFleet([{ workerId: 'first', timeScale: 0.01, hasCallbackDedupe: false }]);
    const rowId = await insertRow({ url: '/fails-before-form?times=2', target: 'first', maxRetries: 3 });
    expect(await untilStatus(rowId, 'completed')).toMatchObject({ retry_count: 2, error_code: 'network_error' });
    const words = (await untilCallbacks(rowId, 6)).map((payload) => payload.status);
    expect(words.toSorted()).toEqual(['completed', 'failed', 'failed', 'running', 'running', 'running']);
    expect(trailOf(rowId).filter((event) => event === 'form_opened')).toHaveLength(1);
  });

  it('fails for good when the row allows no retry, and counts the attempts of Yardmaster', async () => {
    fleet = await startFleet([{ workerId: 'first' }]);
    const url = '/fails-before-form';
    const first = await insertRow({ url, target: 'first', metadata: { yardmaster: { jobId: 'job', generation: 1, attemptNumber: 1 } } });
    expect(await untilStatus(first, 'failed')).toMatchObject({ error_code: 'network_error', retry_count: 0 });
    const second = await insertRow({ url, target: 'first', metadata: { yardmaster: { jobId: 'job', generation: 1, attemptNumber: 2 } } });
    await untilStatus(second, 'completed');
    expect(fleet.log().every((entry) => entry.jobId === 'job')).toBe(true);
  });

  it('loses, repeats and reorders callbacks on demand', async () => {
    fleet = await startFleet([{ workerId: 'first', hasCallbackDedupe: false }]);
    const lost = await insertRow({ url: '/quick?ms=1&lost=running&repeat=1', target: 'first' });
    expect((await untilCallbacks(lost, 2)).map((payload) => payload.status)).toEqual(['completed', 'completed']);
    const reordered = await insertRow({ url: '/quick?ms=1&reorder=1', target: 'first' });
    expect((await untilCallbacks(reordered, 2)).map((payload) => payload.status)).toEqual(['completed', 'running']);
  });

  it('is overwritten with completed after somebody deregistered its worker', async () => {
    fleet = await startFleet([{ workerId: 'first' }]);
    const rowId = await insertRow({ url: '/late-write?ms=90', target: 'first' });
    expect(await untilStatus(rowId, 'completed')).toMatchObject({ error_code: 'worker_deregistered' });
    expect(wordsOf(await untilCallbacks(rowId, 3))).toEqual(['completed', 'failed', 'running']);
  });
});

describe('cancelling', () => {
  it('answers every cancel of a running job with 500 and goes on', async () => {
    fleet = await startFleet([{ workerId: 'first' }]);
    const gate = makeGate();
    const rowId = await insertRow({ url: gate.form, target: 'first' });
    await untilTrail(rowId, 'form_opened');
    const cancel = (id: string) => askApi('first', `/api/v1/gh/jobs/${id}/cancel`);
    expect(await cancel(rowId)).toMatchObject({ status: 500, body: { error: 'internal_error' } });
    expect(await cancel('not-a-uuid')).toMatchObject({ status: 500 });
    expect(await cancel(userId)).toMatchObject({ status: 404, body: { error: 'not_found' } });
    gate.open();
    await untilStatus(rowId, 'completed');
    expect(await cancel(rowId)).toMatchObject({ status: 409, body: { error: 'job_not_cancellable', current_status: 'completed' } });
  });

  it('restarts the application when it is notified, and ends completed', async () => {
    fleet = await startFleet([{ workerId: 'first' }]);
    const gate = makeGate();
    const rowId = await insertRow({ url: gate.form, target: 'first' });
    await untilTrail(rowId, 'form_opened');
    await database.pool.query(`select pg_notify($1, '')`, [`gh_job_cancel_${rowId}`]);
    await untilTrail(rowId, 'restarted');
    gate.open();
    await untilStatus(rowId, 'completed');
    expect(trailOf(rowId).slice(2, 6)).toEqual(['form_opened', 'restarted', 'form_opened', 'submitted']);
    expect(await readEventTypes(rowId)).toEqual(expect.arrayContaining(['browser_crash_detected', 'browser_crash_recovered']));
  });

  it('restarts at the next heartbeat when the row says cancelled, and overwrites it', async () => {
    fleet = await startFleet([{ workerId: 'first' }]);
    const gate = makeGate();
    const rowId = await insertRow({ url: gate.form, target: 'first' });
    await untilTrail(rowId, 'form_opened');
    await database.pool.query(`update gh_automation_jobs set status = 'cancelled' where id = $1`, [rowId]);
    await untilTrail(rowId, 'restarted');
    gate.open();
    expect(await untilStatus(rowId, 'completed')).toMatchObject({ result_data: { submitted: true } });
  });

  it('ends the process one second after its cancel listener, leaving the row as it was', async () => {
    fleet = await startFleet([{ workerId: 'first', times: { exitDelayMs: 1_000, containerRestartMs: 100 } }]);
    const rowId = await insertRow({ url: '/hang', target: 'first' });
    await untilTrail(rowId, 'form_opened');
    const before = await readRow(rowId);
    const endedAt = Date.now();
    expect(await endCancelListener(rowId)).toBe(1);
    await untilTrail(rowId, 'killed');
    expect(Date.now() - endedAt).toBeGreaterThanOrEqual(950);
    await until(async () => (await askWorker('first', 'status')).body.active_jobs === 0, { what: 'the container is back' });
    const { uptime_ms: uptimeMs } = (await askWorker('first', 'status')).body;
    expect(Date.now() - Number(uptimeMs)).toBeGreaterThan(endedAt);
    const { last_heartbeat: _beat, updated_at: _touched, ...kept } = await readRow(rowId);
    expect(before).toMatchObject(kept);
    expect(kept).toMatchObject({ status: 'running', worker_id: 'first' });
    expect(fleet.log().at(-1)).toMatchObject({ event: 'killed', detail: expect.stringContaining('cancel listener') });
  });

  it('lets an application that ends within that second complete', async () => {
    fleet = await startFleet([{ workerId: 'first', times: { exitDelayMs: 60_000 } }]);
    const gate = makeGate();
    const rowId = await insertRow({ url: gate.form, target: 'first' });
    await untilTrail(rowId, 'form_opened');
    await endCancelListener(rowId);
    gate.open();
    await untilStatus(rowId, 'completed');
    expect(trailOf(rowId)).toEqual(expect.arrayContaining(['connection_lost', 'submitted']));
  });

  it('has no listener without a direct URL', async () => {
    fleet = await startFleet([{ workerId: 'first', hasDirectUrl: false }]);
    const rowId = await insertRow({ url: '/quick?ms=200', target: 'first' });
    await untilTrail(rowId, 'form_opened');
    expect(await endCancelListener(rowId)).toBe(0);
    expect(await untilStatus(rowId, 'completed')).toMatchObject({ execution_attempt_id: null });
  });
});

describe('a human', () => {
  it('resumes a paused job with a code, which is taken and deleted', async () => {
    fleet = await startFleet([{ workerId: 'first' }]);
    const rowId = await insertRow({ url: '/blocker-2fa?ms=60', target: 'first' });
    const paused = await untilStatus(rowId, 'paused');
    expect(paused).toMatchObject({ interaction_type: '2fa', interaction_data: { type: '2fa', page_url: expect.any(String) } });
    await untilListening('gh_job_resume');
    const resume = () =>
      askApi('first', `/api/v1/gh/valet/resume/${rowId}`, { resolution_type: 'code_entry', resolution_data: { code: '123456' } });
    expect(await resume()).toMatchObject({ status: 200, body: { job_id: rowId, status: 'running', resolution_type: 'code_entry' } });
    const done = await untilStatus(rowId, 'completed');
    expect(done.interaction_data).not.toHaveProperty('resolution_data');
    expect(fleet.log().find((entry) => entry.event === 'code_received')).toMatchObject({ rowId, detail: '123456' });
    expect(wordsOf(await untilCallbacks(rowId, 4))).toEqual(['completed', 'needs_human', 'resumed', 'running']);
    expect(await resume()).toMatchObject({ status: 409, body: { error: 'invalid_state' } });
  });

  it('who comes to the error path leaves a zombie: row running, worker idle', async () => {
    fleet = await startFleet([{ workerId: 'first' }]);
    const rowId = await insertRow({ url: '/blocker?at=error&ms=30', target: 'first' });
    await untilStatus(rowId, 'paused');
    await untilListening('gh_job_resume');
    await askApi('first', `/api/v1/gh/valet/resume/${rowId}`, {});
    await untilTrail(rowId, 'ended');
    expect(await readRow(rowId)).toMatchObject({ status: 'running', completed_at: null });
    expect((await askWorker('first', 'health')).status).toBe(200);
  });

  it('who never comes lets the job fail with the code of the blocker', async () => {
    fleet = await startFleet([{ workerId: 'first', times: { humanWaitMs: 200 } }]);
    const rowId = await insertRow({ url: '/blocker?at=error&ms=30', target: 'first' });
    await until(async () => (await readRow(rowId)).error_code === 'captcha_blocked', { what: 'the job has failed' });
    expect(await readEventTypes(rowId)).toContain('hitl_timeout');
    expect(await untilCallbacks(rowId, 3)).toContainEqual(expect.objectContaining({ status: 'failed', error_code: 'captcha_blocked' }));
  });

  it('is waited for by ghosts that fill the pool, so that the third job hangs', async () => {
    fleet = await startFleet([{ workerId: 'first', times: { humanWaitMs: 300_000 } }]);
    for (let ghosts = 0; ghosts < 2; ghosts = await countListening('gh_job_resume')) {
      // On a busy machine the handler's time may end before the pause begins; then it leaves nobody behind, and another one is needed.
      await untilTrail(await insertRow({ url: '/ghost-waiter?ms=30&handlerTimeoutMs=200', target: 'first' }), 'ended');
    }
    const third = await insertRow({ url: '/quick?ms=1', target: 'first' });
    await untilTrail(third, 'claimed');
    const beat = (await readRow(third)).last_heartbeat;
    await until(async () => (await readRow(third)).last_heartbeat > beat, { what: 'its heartbeat goes on' });
    expect(await readRow(third)).toMatchObject({ status: 'queued', started_at: null });
  });

  it.each([
    { variant: 'staging' as const, status: 'awaiting_review', event: 'awaiting_review' },
    { variant: 'main' as const, status: 'running', event: 'awaiting_user_review' },
  ])('blocks the worker at the review page for ever ($variant)', async ({ variant, status, event }) => {
    const pool = variant === 'main' ? mainDatabase.pool : database.pool;
    fleet = await startFleet([{ workerId: 'first', variant }]);
    const rowId = await insertRow({ url: '/review?ms=30', target: 'first' }, pool);
    await until(async () => (await readEventTypes(rowId, pool)).includes(event), { what: 'the form is filled' });
    const { last_heartbeat: beat } = await readRow(rowId, pool);
    await until(async () => (await readRow(rowId, pool)).last_heartbeat > beat, { what: 'its heartbeat goes on' });
    expect(await readRow(rowId, pool)).toMatchObject({ status });
    expect(receiver.of(rowId).map((payload) => payload.status)).toEqual(['running']);
    expect((await askWorker('first', 'health')).body).toEqual({ status: 'busy', active_jobs: 1, deploy_safe: false });
  });
});

describe('a worker process', () => {
  it('answers 503 with a body while it is busy', async () => {
    fleet = await startFleet([{ workerId: 'first' }]);
    expect(await askWorker('first', 'health')).toEqual({ status: 200, body: { status: 'idle', active_jobs: 0, deploy_safe: true } });
    const rowId = await insertRow({ url: '/hang', target: 'first' });
    await untilTrail(rowId, 'form_opened');
    expect(await askWorker('first', 'health')).toEqual({ status: 503, body: { status: 'busy', active_jobs: 1, deploy_safe: false } });
  });

  it('is offline in the registry after SIGTERM, not after SIGKILL', async () => {
    fleet = await startFleet([{ workerId: 'termed' }, { workerId: 'killed' }]);
    fleet.terminate('termed');
    fleet.kill('killed');
    await until(async () => (await readWorker('termed')).status === 'offline', { what: 'the first one is offline' });
    expect(await readWorker('killed')).toMatchObject({ status: 'active' });
    await expect(askWorker('killed', 'status')).rejects.toThrow('fetch failed');
  });

  it('gives its row back on SIGTERM and works on it all the same', async () => {
    fleet = await startFleet([{ workerId: 'first', times: { drainWaitMs: 100, drainCheckMs: 20 } }]);
    const gate = makeGate();
    const rowId = await insertRow({ url: gate.form, target: 'first' });
    await untilTrail(rowId, 'form_opened');
    fleet.terminate('first');
    expect(await untilStatus(rowId, 'pending')).toMatchObject({ worker_id: null, error_details: { reason: 'worker_shutdown' } });
    await until(async () => (await readWorker('first')).status === 'offline', { what: 'it is offline' });
    expect((await askWorker('first', 'status')).body).toMatchObject({ is_draining: true, active_jobs: 1 });
    gate.open();
    await untilStatus(rowId, 'completed');
    await until(() => fleet.host('first').describe().lastExit, { what: 'it has exited' });
    expect(fleet.host('first').describe().lastExit).toMatchObject({ code: 0 });
  });

  it('that crashes comes back with its old registration and its old current job', async () => {
    fleet = await startFleet([{ workerId: 'first', times: { containerRestartMs: 50, registryHeartbeatMs: 40 } }]);
    const registered = (await readWorker('first')).registered_at;
    const gate = makeGate();
    const rowId = await insertRow({ url: `${gate.form.replace('quick', 'crash')}&when=after-form`, target: 'first' });
    await until(async () => (await readWorker('first')).current_job_id === rowId, { what: 'the registry shows the job' });
    gate.open();
    await untilTrail(rowId, 'killed');
    await until(() => fleet.host('first').describe().restarts === 1, { what: 'the container is back' });
    expect(await readWorker('first')).toMatchObject({ status: 'active', registered_at: registered });
    expect(await readRow(rowId)).toMatchObject({ status: 'running', worker_id: 'first' });
  });

  it('dies of a lost database connection, and comes back', async () => {
    fleet = await startFleet([{ workerId: 'first' }, { workerId: 'second' }]);
    await database.pool.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name <> 'yardmaster-test'`,
    );
    await until(() => fleet.hosts.every((host) => host.describe().restarts === 1 && host.isReady), { what: 'both are back' });
    await untilStatus(await insertRow({ url: '/quick?ms=1', target: 'second' }), 'completed');
    expect(fleet.host('first').describe().lastExit).toMatchObject({ code: 1, reason: expect.stringContaining('main client') });
  });

  it('that hangs keeps its ports open and answers nobody, and goes on when it is healed', async () => {
    fleet = await startFleet([{ workerId: 'first' }]);
    const gate = makeGate();
    const rowId = await insertRow({ url: gate.form, target: 'first' });
    await untilTrail(rowId, 'form_opened');
    fleet.hang('first');
    gate.open();
    await expect(askWorker('first', 'status', 300)).rejects.toThrow(/timeout|aborted/i);
    expect(trailOf(rowId)).not.toContain('submitted');
    fleet.heal('first');
    await untilStatus(rowId, 'completed');
  });

  it('that is cut off from its database submits, and writes late', async () => {
    fleet = await startFleet([{ workerId: 'first' }]);
    const gate = makeGate();
    const rowId = await insertRow({ url: gate.form, target: 'first' });
    await untilTrail(rowId, 'form_opened');
    fleet.partition('first', 'both');
    gate.open();
    await untilTrail(rowId, 'submitted');
    expect(await readRow(rowId)).toMatchObject({ status: 'running' });
    fleet.heal('first');
    await untilStatus(rowId, 'completed');
  });

  it('works on while PostgREST is down, its row still queued', async () => {
    fleet = await startFleet([{ workerId: 'first' }]);
    fleet.breakPostgrest('first');
    const rowId = await insertRow({ url: '/quick?ms=30', target: 'first' });
    await untilTrail(rowId, 'ended');
    expect(trailOf(rowId)).toContain('submitted');
    expect(await readRow(rowId)).toMatchObject({ status: 'queued', worker_id: 'first', started_at: null });
    // What the row never says, its callback does.
    const payloads = await untilCallbacks(rowId, 2);
    const completed = payloads.find(({ status }) => status === 'completed');
    expect(completed).toMatchObject({ worker_id: 'first', result_data: { submitted: true } });
  });

  it('shows the silence of a row on the monitoring pages of every machine, and figures that nobody counts', async () => {
    fleet = await startFleet([{ workerId: 'first' }]);
    const ask = async (path: string): Promise<unknown> =>
      await (await fetch(`http://127.0.0.1:${fleet.host('first').ports.api}${path}`)).json();
    expect(await ask('/monitoring/health')).toMatchObject({ status: 'healthy', checks: expect.any(Array) });
    const rowId = await insertStuckRow(database.pool);
    await database.pool.query(`update gh_automation_jobs set last_heartbeat = now() - interval '3 minutes' where id = $1`, [rowId]);
    expect(await ask('/monitoring/health')).toMatchObject({
      status: 'degraded',
      checks: expect.arrayContaining([expect.objectContaining({ name: 'worker_heartbeat', status: 'degraded' })]),
    });
    expect(await ask('/monitoring/metrics/json')).toMatchObject({
      jobs: { completed: 0 },
      worker: { activeJobs: 0 },
      api: {},
      uptime: expect.any(Number),
    });
  });

  it('has a twin on demand that claims under the same id', async () => {
    fleet = await startFleet([{ workerId: 'first' }]);
    await fleet.host('first').twin({ ip: '127.0.0.9' });
    expect(await readWorker('first')).toMatchObject({ ec2_ip: '127.0.0.9' });
    await insertRow({ url: '/hang', target: 'first' });
    await until(() => eventsOf('form_opened').length > 0, { what: 'one of them is at work' });
    await insertRow({ url: '/hang', target: 'first' });
    // Which rows they are is open: one that is claimed but not yet running can be claimed by the other process (ghosthands §4.1).
    const atWork = () => new Set(eventsOf('form_opened').map((entry) => entry.processId));
    await until(() => atWork().size === 2, { what: 'both processes are at work' });
    expect(new Set(eventsOf('claimed').map((entry) => entry.workerId))).toEqual(new Set(['first']));
  });

  it('makes stuck rows of others pending when it starts (main)', async () => {
    const rowId = await insertStuckRow(mainDatabase.pool);
    fleet = await startFleet([{ workerId: 'first', variant: 'main' }]);
    expect(await readRow(rowId, mainDatabase.pool)).toMatchObject({ status: 'pending', worker_id: null });
  });

  it('hands stuck rows of others to a human when it starts (staging)', async () => {
    const rowId = await insertStuckRow(database.pool);
    fleet = await startFleet([{ workerId: 'first' }]);
    expect(await readRow(rowId)).toMatchObject({ status: 'needs_human', worker_id: null });
    expect((await untilCallbacks(rowId, 1))[0]).toMatchObject({ status: 'needs_human', interaction: { type: 'stuck_job_timeout' } });
  });

  it('obeys the control endpoint', async () => {
    fleet = await startFleet([{ workerId: 'first' }], { controlPort: 0 });
    const control = `http://127.0.0.1:${fleet.controlPort}`;
    const before = await (await fetch(`${control}/state`)).json();
    const restarted = await fetch(`${control}/hosts/127.0.0.2/restart`, { method: 'POST' });
    expect(restarted.status).toBe(200);
    const after = await (await fetch(`${control}/state`)).json();
    expect(after.hosts[0].worker.processId).not.toBe(before.hosts[0].worker.processId);
    expect((await fetch(`${control}/hosts/127.0.0.2/explode`, { method: 'POST' })).status).toBe(404);
    const wrong = { method: 'POST', body: '{"mode":"fast"}', headers: { 'content-type': 'application/json' } };
    expect((await fetch(`${control}/hosts/127.0.0.2/mode`, wrong)).status).toBe(400);
  });
});

type Payload = Record<string, unknown> & { job_id: string; status: string };

interface CallbackReceiver {
  url: string;
  of(rowId: string): Payload[];
  secrets(): Set<unknown>;
  close(): void;
}

async function receiveCallbacks(): Promise<CallbackReceiver> {
  const payloads: Payload[] = [];
  const secrets = new Set<unknown>();
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () => {
      payloads.push(JSON.parse(text));
      secrets.add(request.headers['x-gh-service-key']);
      response.end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : address}/callbacks`,
    of: (rowId) => payloads.filter((payload) => payload.job_id === rowId),
    secrets: () => secrets,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

async function startFleet(hosts: HostOptions[], options: { controlPort?: number } = {}): Promise<Simulator> {
  const isMain = hosts.some((host) => host.variant === 'main');
  const { databaseUrl } = isMain ? mainDatabase : database;
  return startSimulator({
    databaseUrl,
    serviceSecret,
    ...options,
    hosts: hosts.map((host, index) => ({
      workerId: `worker-${index}`,
      ip: `127.0.0.${index + 2}`,
      listenIp: '127.0.0.1',
      apiPort: 0,
      statusPort: 0,
      variant: 'staging',
      timeScale,
      ...host,
    })),
  });
}

interface RowRequest {
  url: string;
  target: string | null;
  maxRetries?: number;
  metadata?: object;
}

async function insertRow(request: RowRequest, pool = database.pool): Promise<string> {
  const { rows } = await pool.query<{ id: string }>(
    `insert into gh_automation_jobs
       (user_id, job_type, target_url, task_description, max_retries, worker_affinity, target_worker_id, callback_url, metadata, timeout_seconds)
     values ($1, 'apply', $2, 'Apply', $3, 'strict', $4, $5, $6, 1200)
     returning id`,
    [userId, `https://sim.test${request.url}`, request.maxRetries ?? -1, request.target, receiver.url, request.metadata ?? {}],
  );
  return rows[0]!.id;
}

async function insertStuckRow(pool: Pool): Promise<string> {
  const rowId = await insertRow({ url: '/quick', target: null }, pool);
  await pool.query(
    `update gh_automation_jobs set status = 'running', worker_id = 'gone', last_heartbeat = now() - interval '1 minute' where id = $1`,
    [rowId],
  );
  return rowId;
}

async function readRow(rowId: string, pool = database.pool) {
  const { rows } = await pool.query('select * from gh_automation_jobs where id = $1', [rowId]);
  return rows[0];
}

async function readWorker(workerId: string) {
  const { rows } = await database.pool.query('select * from gh_worker_registry where worker_id = $1', [workerId]);
  return rows[0];
}

async function readEventTypes(rowId: string, pool = database.pool): Promise<string[]> {
  const { rows } = await pool.query<{ event_type: string }>('select event_type from gh_job_events where job_id = $1 order by created_at', [
    rowId,
  ]);
  return rows.map((row) => row.event_type);
}

function untilStatus(rowId: string, status: string) {
  return until(
    async () => {
      const row = await readRow(rowId);
      return row.status === status ? row : null;
    },
    { what: `the row is ${status}` },
  );
}

const eventsOf = (event: string) => fleet.log().filter((entry) => entry.event === event);

const trailOf = (rowId: string): string[] =>
  fleet
    .log()
    .filter((entry) => entry.rowId === rowId)
    .map((entry) => entry.event);

const untilTrail = (rowId: string, event: string) => until(() => trailOf(rowId).includes(event), { what: `${event} is in the log` });

const untilCallbacks = (rowId: string, count: number): Promise<Payload[]> =>
  until(() => (receiver.of(rowId).length >= count ? receiver.of(rowId) : null), { what: `${count} callbacks came` });

/** GH promises no order. */
const wordsOf = (payloads: Payload[]): string[] => payloads.map(({ status }) => status).toSorted();

/** Sent before the LISTEN, a resume would be lost (ghosthands §6.1). */
const untilListening = (channel: string) => until(() => countListening(channel), { what: `somebody listens to ${channel}` });

const countListening = async (channel: string): Promise<number> => {
  const sql = 'select from pg_stat_activity where datname = current_database() and query = $1';
  return (await database.pool.query(sql, [`LISTEN ${channel}`])).rowCount ?? 0;
};

/** As ghosthands §7.2 describes it; answers how many listeners there were. */
async function endCancelListener(rowId: string): Promise<number | null> {
  const admin = new Client({ connectionString: database.databaseUrl });
  await admin.connect();
  const { rowCount } = await admin.query(
    'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and query = $1',
    [`LISTEN "gh_job_cancel_${rowId}"`],
  );
  await admin.end();
  return rowCount;
}

async function askWorker(workerId: string, what: 'status' | 'health', timeoutMs = 5_000) {
  const { status } = fleet.host(workerId).ports;
  const response = await fetch(`http://127.0.0.1:${status}/worker/${what}`, { signal: AbortSignal.timeout(timeoutMs) });
  return { status: response.status, body: await response.json() };
}

async function askApi(workerId: string, path: string, body: object = {}) {
  const response = await fetch(`http://127.0.0.1:${fleet.host(workerId).ports.api}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-gh-service-key': serviceSecret },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() };
}
