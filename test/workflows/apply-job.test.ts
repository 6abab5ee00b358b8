import { randomUUID } from 'node:crypto';
import { WorkflowIdReusePolicy } from '@temporalio/client';
import { makeDeliverCallbacksId, parseApplyJobId } from '../../src/contracts/ids';
import { cancelSignal, resolveSignal, retrySignal, statusQuery } from '../../src/contracts/messages';
import { until } from '../support/until';
import { withFleetFixture, type FleetFixture } from '../support/fleet-fixture';
import { makeGate } from '../support/gate';

const shortLimits = {
  retryBackoffFirstMs: 200,
  attemptSilentMs: 3_000,
  doubtRecheckMs: 500,
  blockerMs: 2_000,
  blockerGraceMs: 500,
  callbackDrainMs: 1_000,
};

describe('a job whose product refuses what it is told', () => {
  const fixture = withFleetFixture({
    hosts: 1,
    limits: { ...shortLimits, callbackBackoffFirstMs: 3_600_000, callbackBackoffMaxMs: 3_600_000 },
  });

  test('P5: tells its end at once, also while its workflow waits to tell a progress message again', async () => {
    fixture.failCallbacks([401, 401]);
    const { jobId, handle } = await submit(fixture, '/fails-after-form?code=timeout&ms=2500');
    await fixture.until(jobId, 'uncertain');
    await until(() => fixture.received(jobId).some(({ status }) => status === 'failed'), { what: 'the product was notified' });
    await handle.signal(resolveSignal, { submitted: true, actor: 'zoe' });
    await expect(handle.result()).resolves.toMatchObject({ state: 'succeeded' });
  });
});

describe('a job on a healthy fleet', () => {
  const fixture = withFleetFixture({ hosts: 2, limits: shortLimits });

  test('travels from acceptance through one worker to succeeded, and the product hears running and completed', async () => {
    const gate = makeGate();
    const { jobId, handle } = await submit(fixture, gate.form);
    await until(() => fixture.received(jobId).length === 1, { what: 'the product hears that it runs' });
    gate.open();
    await expect(handle.result()).resolves.toMatchObject({ state: 'succeeded', generation: 1, reason: 'completed' });
    await until(() => fixture.received(jobId).length === 2, { what: 'both callbacks arrived' });
    expect(fixture.received(jobId)).toMatchObject([{ status: 'running' }, { status: 'completed', result_data: { submitted: true } }]);
  });

  test('leaves a public row that is complete and was never claimable, and an attempt row without personal data', async () => {
    const { jobId, handle } = await submit(fixture, '/quick?ms=50');
    await handle.result();
    const { rows: jobRows } = await fixture.pool.query(`select * from gh_automation_jobs where id = $1`, [jobId]);
    expect(jobRows[0]).toMatchObject({
      status: 'completed',
      worker_affinity: 'strict',
      target_worker_id: null,
      callback_url: null,
      worker_id: null,
      completed_at: expect.any(Date),
      input_data: { user_data: { first_name: 'Zoë' } },
    });
    const { rows } = await fixture.pool.query(
      `select g.* from gh_automation_jobs g join yardmaster.attempt a on a.attempt_id = g.id where a.job_id = $1`,
      [jobId],
    );
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({
      status: 'completed',
      target_worker_id: null,
      input_data: {},
      resume_ref: null,
      result_data: null,
      max_retries: -1,
    });
  });

  test('copies progress and milestones of the attempt to the public job id, once', async () => {
    const { jobId, handle } = await submit(fixture, '/quick?ms=100');
    await handle.result();
    await fixture.sweep();
    const { rows } = await fixture.pool.query<{ event_type: string }>(
      `select event_type from gh_job_events where job_id = $1 and event_type <> 'status_change' order by created_at`,
      [jobId],
    );
    const types = rows.map((row) => row.event_type);
    expect(types).toContain('progress_update');
    expect(types.filter((type) => type === 'job_started')).toHaveLength(1);
    expect(types.filter((type) => type === 'job_completed')).toHaveLength(1);
  });

  test('tries again on its own after an attempt that failed before it had the page', async () => {
    const { jobId, handle } = await submit(fixture, '/fails-before-form?times=1&ms=2500');
    await expect(handle.result()).resolves.toMatchObject({ state: 'succeeded' });
    const { rows } = await fixture.pool.query(
      `select number, end_reason, submission from yardmaster.attempt where job_id = $1 order by number`,
      [jobId],
    );
    expect(rows).toMatchObject([
      { number: 1, end_reason: 'failed', submission: 'no' },
      { number: 2, end_reason: 'completed', submission: 'yes' },
    ]);
    await until(() => fixture.received(jobId).length === 2, { what: 'both callbacks arrived' });
    expect(fixture.received(jobId).map(({ status }) => status)).toEqual(['running', 'completed']);
  });

  test('ends failed when no attempt is left', async () => {
    const { handle } = await submit(fixture, '/fails-before-form?times=9&code=network_error&ms=50', { attemptsMax: 2 });
    await expect(handle.result()).resolves.toMatchObject({ state: 'failed', reason: 'network_error' });
  });

  test('ends failed at once when trying again cannot help', async () => {
    const { jobId, handle } = await submit(fixture, '/invalid');
    await expect(handle.result()).resolves.toMatchObject({ state: 'failed', reason: 'validation_error' });
    expect((await fixture.job(jobId)).tries).toBe(1);
    await until(() => fixture.received(jobId).some(({ status }) => status === 'failed'), { what: 'the final callback arrived' });
    expect(fixture.received(jobId).at(-1)).toMatchObject({ status: 'failed', error_code: 'validation_error' });
  });

  test('P3: rests uncertain after an attempt that failed with the form open, and a person resolves it', async () => {
    const { jobId, handle } = await submit(fixture, '/fails-after-form?code=timeout&ms=50');
    const job = await fixture.until(jobId, 'uncertain');
    expect(job).toMatchObject({ reason: 'timeout', submission: 'maybe' });
    await until(() => fixture.received(jobId).some(({ status }) => status === 'failed'), { what: 'the product was notified' });
    expect(fixture.received(jobId).at(-1)).toMatchObject({ status: 'failed', error_code: 'submission_uncertain' });
    await handle.signal(resolveSignal, { submitted: true, actor: 'zoe' });
    await expect(handle.result()).resolves.toMatchObject({ state: 'succeeded', reason: 'resolved_submitted' });
    expect(fixture.received(jobId).filter(({ status }) => status !== 'running')).toHaveLength(1);
  });

  test('P3: takes a completed row whose result says not submitted for uncertain', async () => {
    const { jobId, handle } = await submit(fixture, '/keep-open?ms=50');
    expect(await fixture.until(jobId, 'uncertain')).toMatchObject({ reason: 'completed_without_proof' });
    await handle.signal(resolveSignal, { submitted: false });
    await expect(handle.result()).resolves.toMatchObject({ state: 'failed', reason: 'resolved_not_submitted' });
  });

  test('P3: ignores a retry of an uncertain job without confirmation, and opens the next generation with it', async () => {
    const { jobId, handle } = await submit(fixture, '/fails-after-form?times=1&ms=50');
    await fixture.until(jobId, 'uncertain');
    await handle.signal(retrySignal, {});
    await handle.signal(retrySignal, { confirm: true, actor: 'zoe' });
    await expect(handle.result()).resolves.toMatchObject({ state: 'succeeded', generation: 2 });
    const { rows } = await fixture.pool.query(
      `select generation, state from yardmaster.job_transition where job_id = $1 and state in ('succeeded', 'failed', 'uncertain') order by seq`,
      [jobId],
    );
    expect(rows[0]).toEqual({ generation: 1, state: 'uncertain' });
    expect(rows[1]).toEqual({ generation: 1, state: 'failed' });
    expect(rows[2]).toMatchObject({ generation: 2 });
  });

  test('says in its result that GH ran the form again after a browser crash', async () => {
    const { jobId, handle } = await submit(fixture, '/recovers-from-browser-crash?ms=100');
    await expect(handle.result()).resolves.toMatchObject({ state: 'succeeded', isRerunByGh: true });
    await until(() => fixture.received(jobId).some(({ status }) => status === 'completed'), { what: 'the final callback arrived' });
    expect(fixture.received(jobId).at(-1)?.result_summary).toMatch(/ran the form again/);
  });

  test('finds the end by the sweep when every callback of GH is lost', async () => {
    const { jobId, handle } = await submit(fixture, '/quick?ms=50&lost=running,completed');
    await until(
      async () => {
        await fixture.sweep();
        return (await fixture.job(jobId)).state === 'succeeded';
      },
      { what: 'the sweep found the end' },
    );
    await expect(handle.result()).resolves.toMatchObject({ state: 'succeeded' });
  });

  test('is not disturbed by callbacks that come twice, late and in the wrong order', async () => {
    const { jobId, handle } = await submit(fixture, '/callbacks?repeat=3&reorder=1&delayMs=100&ms=50');
    await expect(handle.result()).resolves.toMatchObject({ state: 'succeeded' });
    await until(() => fixture.received(jobId).some(({ status }) => status === 'completed'), { what: 'the final callback arrived' });
    // GH's `completed` may be the first that we hear of it; then there is no `running` to tell.
    expect(['completed', 'running,completed']).toContain(
      fixture
        .received(jobId)
        .map(({ status }) => status)
        .join(),
    );
  });

  test('shows its state to a query and in its search attributes', async () => {
    const { jobId, handle } = await submit(fixture, '/quick?ms=50');
    await handle.result();
    await expect(handle.query(statusQuery)).resolves.toMatchObject({ jobId, state: 'succeeded', wakeInMs: null });
    const { typedSearchAttributes } = await handle.describe();
    const shown = Object.fromEntries(typedSearchAttributes.getAll().map(({ key, value }) => [key.name, value]));
    expect(shown).toMatchObject({ State: 'succeeded', Outcome: 'completed', WorkerId: expect.stringMatching(/^worker-/) });
  });

  test('P8: keeps personal data out of the workflow history', async () => {
    const { handle } = await submit(fixture, '/quick?ms=50');
    await handle.result();
    const history = JSON.stringify(await handle.fetchHistory());
    const plain = history.replaceAll(/"data":"([^"]*)"/g, (_all, data: string) => Buffer.from(data, 'base64').toString());
    expect(`${history}${plain}`).not.toMatch(/Zoë|Ünal|zoe@example/);
  });

  test('delivers callbacks in order through a product that fails at first', async () => {
    fixture.failCallbacks([500, 503]);
    const gate = makeGate();
    const { jobId, handle } = await submit(fixture, gate.form);
    await until(() => fixture.received(jobId).length === 1, { what: 'the product hears that it runs' });
    gate.open();
    await handle.result();
    await until(() => fixture.received(jobId).length === 2, { what: 'both callbacks arrived' });
    expect(fixture.received(jobId).map(({ status }) => status)).toEqual(['running', 'completed']);
  });

  test('ends as it should when a person has started the delivery that it would hand its last callbacks to', async () => {
    const { jobId, handle } = await submit(fixture, '/quick?ms=50', { callbackUrl: 'http://127.0.0.1:1/nobody-listens' });
    const by = { jobId, generation: 1 };
    await fixture.client.workflow.start('deliverCallbacks', {
      workflowId: makeDeliverCallbacksId(by),
      taskQueue: fixture.taskQueue,
      args: [by],
      startDelay: '1 minute',
    });
    await expect(handle.result()).resolves.toMatchObject({ state: 'succeeded' });
  });

  test('goes on from its row when its workflow is terminated', async () => {
    const gate = makeGate();
    const { jobId, handle } = await submit(fixture, gate.form);
    await fixture.until(jobId, 'running');
    await handle.terminate('pulled by a test');
    gate.open();
    await until(
      async () => {
        await fixture.sweep();
        return (await fixture.job(jobId)).state === 'succeeded';
      },
      { what: 'a new workflow went on' },
    );
    expect((await fixture.job(jobId)).tries).toBe(1);
  });

  test('is not started again once it is completed', async () => {
    const { jobId, handle } = await submit(fixture, '/quick?ms=50');
    await handle.result();
    await expect(fixture.start(jobId, { workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY })).rejects.toThrow(
      /already/i,
    );
  });
});

describe('a job without a worker', () => {
  const fixture = withFleetFixture({ hosts: 1, limits: shortLimits });

  beforeEach(async () => {
    await fixture.pool.query(
      `insert into yardmaster.host_hold (host, reason, actor) values ('*', 'a test', 'test') on conflict do nothing`,
    );
  });

  test('ends cancelled at once when it is cancelled', async () => {
    const { jobId, handle } = await submit(fixture, '/quick');
    await fixture.until(jobId, 'waiting');
    await handle.signal(cancelSignal, { reason: 'changed my mind', actor: 'zoe' });
    await expect(handle.result()).resolves.toMatchObject({ state: 'cancelled' });
    await until(() => fixture.received(jobId).length === 1, { what: 'the product was notified' });
    expect(fixture.received(jobId)).toMatchObject([{ status: 'cancelled' }]);
  });

  test("takes the Web UI's Cancel for our cancel", async () => {
    const { jobId, handle } = await submit(fixture, '/quick');
    await fixture.until(jobId, 'waiting');
    await handle.cancel();
    await expect(handle.result()).resolves.toMatchObject({ state: 'cancelled' });
  });

  test('waits while the fleet is paused and is assigned by the sweep afterwards', async () => {
    const { jobId, handle } = await submit(fixture, '/quick?ms=50');
    await fixture.until(jobId, 'waiting');
    await fixture.pool.query('delete from yardmaster.host_hold');
    await fixture.sweep();
    await expect(handle.result()).resolves.toMatchObject({ state: 'succeeded' });
  });
});

describe('a job that waits for too long', () => {
  const fixture = withFleetFixture({ hosts: 1, limits: { ...shortLimits, waitForWorkerMs: 3_000 } });

  test('expires when no worker is free in time', async () => {
    await fixture.pool.query(`insert into yardmaster.host_hold (host, reason, actor) values ('*', 'a test', 'test')`);
    const { jobId, handle } = await submit(fixture, '/quick');
    await expect(handle.result()).resolves.toMatchObject({ state: 'expired' });
    await until(() => fixture.received(jobId).length === 1, { what: 'the product was notified' });
    expect(fixture.received(jobId)).toMatchObject([{ status: 'expired', error_code: 'expired' }]);
  });
});

describe('a job whose worker fails it', () => {
  const fixture = withFleetFixture({ hosts: 2, limits: shortLimits });

  const sweepUntil = async (jobId: string, state: Awaited<ReturnType<FleetFixture['job']>>['state'], timeoutMs = 30_000): Promise<void> => {
    await until(
      async () => {
        await fixture.sweep();
        return (await fixture.job(jobId)).state === state;
      },
      { what: `job ${jobId} is ${state}`, timeoutMs },
    );
  };

  test('is tried elsewhere when the process died before the form', async () => {
    const { jobId, handle } = await submit(fixture, '/crash?when=before-form&times=1&ms=50');
    await sweepUntil(jobId, 'succeeded');
    await expect(handle.result()).resolves.toMatchObject({ state: 'succeeded' });
    const { rows } = await fixture.pool.query(`select end_reason from yardmaster.attempt where job_id = $1 order by number`, [jobId]);
    expect(rows.map((row: { end_reason: string }) => row.end_reason)).toEqual(['lost', 'completed']);
  });

  test('P3: rests uncertain when the process died with the form open', async () => {
    const { jobId, handle } = await submit(fixture, '/crash?when=after-form&ms=200');
    await sweepUntil(jobId, 'uncertain');
    expect(await fixture.job(jobId)).toMatchObject({ reason: 'worker_lost' });
    await handle.signal(resolveSignal, { submitted: false });
    await handle.result();
  });
});

describe('a job whose worker does not take it', () => {
  const fixture = withFleetFixture({ hosts: 2, limits: { ...shortLimits, claimMs: 1_000 } });

  test('is given to another worker', async () => {
    await sweepUntilIdle(fixture);
    for (const { ip } of fixture.simulator.hosts) fixture.simulator.partition(ip, 'database');
    const { jobId, handle } = await submit(fixture, '/quick?ms=50');
    await fixture.until(jobId, 'assigned');
    const deaf = (await fixture.job(jobId)).attempt?.workerId;
    for (const { ip, workerId } of fixture.simulator.hosts) if (workerId !== deaf) fixture.simulator.heal(ip);
    await expect(handle.result()).resolves.toMatchObject({ state: 'succeeded' });
    expect((await fixture.job(jobId)).attempt).toMatchObject({ number: 2 });
    expect((await fixture.job(jobId)).attempt?.workerId).not.toBe(deaf);
  });
});

describe('a job that needs a person', () => {
  const fixture = withFleetFixture({ hosts: 2, limits: shortLimits });

  test('waits at the review page until a person says that it was submitted, and keeps its worker taken', async () => {
    const { jobId, handle } = await submit(fixture, '/review?ms=50');
    await until(
      async () => {
        await fixture.sweep();
        return (await fixture.job(jobId)).state === 'waiting_human';
      },
      { what: 'the review is seen, which GH never tells' },
    );
    expect(await fixture.job(jobId)).toMatchObject({ humanKind: 'review' });
    await until(() => fixture.received(jobId).some(({ status }) => status === 'paused'), { what: 'the product is notified' });
    expect(fixture.received(jobId).at(-1)).toMatchObject({ status: 'paused', interaction: { type: 'review' } });
    await handle.signal(resolveSignal, { submitted: true, actor: 'zoe' });
    await expect(handle.result()).resolves.toMatchObject({ state: 'succeeded', reason: 'resolved_submitted' });
    const { rows } = await fixture.pool.query(`select state from yardmaster.attempt where job_id = $1`, [jobId]);
    expect(rows).toEqual([{ state: 'running' }]);
  });

  test('notifies the product of a blocker, and becomes uncertain when nobody comes', async () => {
    const { jobId, handle } = await submit(fixture, '/blocker?type=captcha&ms=50');
    await fixture.until(jobId, 'waiting_human');
    await until(() => fixture.received(jobId).some(({ status }) => status === 'paused'), { what: 'the product is notified' });
    expect(fixture.received(jobId).at(-1)).toMatchObject({
      status: 'paused',
      interaction: { type: 'captcha', timeout_seconds: expect.any(Number) },
    });
    await fixture.until(jobId, 'uncertain');
    await handle.signal(resolveSignal, { submitted: false });
    await handle.result();
  });
});

const submit = async (
  fixture: FleetFixture,
  path: string,
  more: Parameters<FleetFixture['submit']>[1] = {},
): Promise<{ jobId: string; handle: Awaited<ReturnType<FleetFixture['submit']>> }> => {
  const handle = await fixture.submit(`https://sim.test${path}`, { jobId: randomUUID(), ...more });
  return { jobId: parseApplyJobId(handle.workflowId)?.jobId ?? '', handle };
};

const sweepUntilIdle = async (fixture: FleetFixture): Promise<void> => {
  await until(
    async () => {
      await fixture.sweep();
      const { rows } = await fixture.pool.query(
        `select host, active_jobs, is_worker_up, problem from yardmaster.host_probe where active_jobs is distinct from 0`,
      );
      if (rows.length > 0) throw new Error(JSON.stringify(rows));
      return true;
    },
    { what: 'every worker is idle' },
  );
};
