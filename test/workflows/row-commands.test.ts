import { randomBytes, randomUUID } from 'node:crypto';
import { makeResumeJobId, parseApplyJobId } from '../../src/contracts/ids';
import type { Observation } from '../../src/contracts/observations';
import { listCommands, type Command } from '../../src/db/commands/commands';
import { aroundMessage } from '../../src/domain/route-command';
import { sensitive } from '../../src/domain/sensitive';
import { createSecretBox } from '../../src/secret-box';
import { withFleetFixture, type FleetFixture } from '../support/fleet-fixture';
import { collectLines } from '../support/log-lines';
import { until } from '../support/until';
import { makeGate } from '../support/gate';

const code = 'one-time-60414';

const submit = async (fixture: FleetFixture, path: string): Promise<string> => {
  const handle = await fixture.submit(`https://sim.test${path}`, { jobId: randomUUID() });
  return parseApplyJobId(handle.workflowId)?.jobId ?? '';
};

/** What VALET does in its other set-up: the machine of some worker, past us. */
const goAround = async (fixture: FleetFixture, place: string, body?: object): Promise<number> => {
  const { ports } = fixture.simulator.hosts[0]!;
  const response = await fetch(`http://127.0.0.1:${ports.api}/api/v1/gh${place}`, {
    method: 'POST',
    headers: { 'x-gh-service-key': 'test-service-secret', 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return response.status;
};

const rowOf = async (fixture: FleetFixture, id: string): Promise<Record<string, unknown>> =>
  (await fixture.pool.query<Record<string, unknown>>('select * from gh_automation_jobs where id = $1', [id])).rows[0] ?? {};

const ended = async (fixture: FleetFixture, jobId: string, kind: string): Promise<Command> =>
  await until(
    async () => (await listCommands(fixture.pool, { jobId, rows: 9 })).find((each) => each.kind === kind && each.endedAt !== null),
    {
      what: `the ${kind} of ${jobId} has ended`,
      timeoutMs: 60_000,
    },
  );

const auditOf = async (fixture: FleetFixture, jobId: string): Promise<unknown[]> =>
  (
    await fixture.pool.query(`select act, source, outcome from yardmaster.audit where subject = $1 and source = 'row' order by audit_id`, [
      jobId,
    ])
  ).rows;

describe('a command that went around us', () => {
  const seen: Observation[] = [];
  const { destination, entries } = collectLines();
  const fixture = withFleetFixture({
    hosts: 3,
    listens: true,
    secrets: createSecretBox({ current: sensitive(randomBytes(32).toString('hex')), previous: null }),
    observe: (one) => void seen.push(one),
    logDestination: destination,
    limits: { resumeScrubMs: 1_000, degradedPollMs: 1_000 },
    hostOptions: () => ({ honoursCommands: true }),
  });
  const warningsOf = (jobId: string) => entries().filter((line) => line['message'] === aroundMessage && line['jobId'] === jobId);

  test('P4 P8: a resume with a code is taken out of the public row, and the worker that waits gets it', async () => {
    const jobId = await submit(fixture, '/blocker-2fa?ms=300');
    await fixture.until(jobId, 'waiting_human');
    const body = { resolution_type: 'code_entry', resolution_data: { code }, resolution_notes: `the code is ${code}` };
    expect(await goAround(fixture, `/valet/resume/${jobId}`, body)).toBe(200);
    await until(async () => !JSON.stringify(await rowOf(fixture, jobId)).includes(code), { what: 'no code is in the public row' });
    const command = await ended(fixture, jobId, 'resume');
    expect(command).toMatchObject({ source: 'row', outcome: 'resumed', resolutionType: 'code_entry', route: { route: 'owner' } });
    await fixture.until(jobId, 'succeeded');
    const received = fixture.simulator.log().filter((entry) => entry.jobId === jobId && entry.event === 'code_received');
    expect(received).toMatchObject([{ detail: code }]);
    expect(await auditOf(fixture, jobId)).toEqual([
      { act: 'resume', source: 'row', outcome: null },
      { act: 'resume_ended', source: 'row', outcome: 'resumed' },
    ]);
    const { workerId } = command.route!;
    expect(warningsOf(jobId)).toMatchObject([{ level: 'warn', workerId, route: 'row', reason: 'its public row holds a resume' }]);
    expect(seen).toContainEqual({ of: 'row_command', kind: 'resume', taken: 'taken' });
    const history = await fixture.client.workflow.getHandle(makeResumeJobId({ jobId })).fetchHistory();
    expect(JSON.stringify(history)).not.toContain(Buffer.from(code).toString('base64').slice(0, 12));
    expect(
      entries()
        .map((line) => JSON.stringify(line))
        .join(),
    ).not.toContain(code);
  });

  test('P4: a resume without a body is one by hand, once', async () => {
    const jobId = await submit(fixture, '/blocker?type=captcha&ms=300');
    await fixture.until(jobId, 'waiting_human');
    expect(await goAround(fixture, `/valet/resume/${jobId}`)).toBe(200);
    expect(await ended(fixture, jobId, 'resume')).toMatchObject({ source: 'row', outcome: 'resumed', resolutionType: 'manual' });
    await fixture.until(jobId, 'succeeded');
    expect(await listCommands(fixture.pool, { jobId, rows: 9 })).toHaveLength(1);
  });

  test.each([
    ['by VALET, which heals its row', async (jobId: string) => void (await cancelInRow(jobId))],
    ['by an API that carries it out', async (jobId: string) => expect(await goAround(fixture, `/jobs/${jobId}/cancel`)).toBe(200)],
  ])('P4: a cancel in the public row %s stops the worker, and nothing is submitted', async (_who, cancel) => {
    const jobId = await submit(fixture, makeGate().form);
    await fixture.until(jobId, 'running');
    await cancel(jobId);
    const command = await ended(fixture, jobId, 'cancel');
    expect(command).toMatchObject({ source: 'row', outcome: expect.stringMatching(/^cancelled/) });
    expect(await fixture.job(jobId)).toMatchObject({ state: command.outcome === 'cancelled' ? 'cancelled' : 'uncertain' });
    expect(fixture.simulator.log().filter((entry) => entry.jobId === jobId && entry.event === 'submitted')).toEqual([]);
    expect(warningsOf(jobId)).toMatchObject([{ kind: 'cancel', route: 'row', reason: 'its public row says cancelled' }]);
    const status = command.outcome === 'cancelled' ? 'cancelled' : 'failed';
    await until(async () => (await rowOf(fixture, jobId))['status'] === status, { what: 'the row says what came of it' });
  });

  const cancelInRow = async (jobId: string): Promise<unknown> =>
    await fixture.pool.query(`update gh_automation_jobs set status = 'cancelled', completed_at = now() where id = $1`, [jobId]);

  test('P2: a job whose row was put back after its end is tried again', async () => {
    const jobId = await submit(fixture, '/invalid');
    expect(await fixture.until(jobId, 'failed')).toMatchObject({ submission: 'no' });
    expect(await goAround(fixture, `/jobs/${jobId}/retry`)).toBe(200);
    await until(
      async () => {
        await fixture.sweep();
        return (await fixture.job(jobId)).generation === 2;
      },
      { what: 'the next generation is open' },
    );
    expect(await ended(fixture, jobId, 'retry')).toMatchObject({ source: 'row', outcome: 'reopened' });
  });
});

describe('without a key for secrets', () => {
  const fixture = withFleetFixture({ hosts: 1, listens: true, limits: { degradedPollMs: 1_000 } });

  test('P8: a code in the public row is taken out, and the row says what to do', async () => {
    const jobId = await submit(fixture, '/blocker-2fa?ms=300');
    await fixture.until(jobId, 'waiting_human');
    expect(await goAround(fixture, `/valet/resume/${jobId}`, { resolution_type: 'code_entry', resolution_data: { code } })).toBe(200);
    expect(await ended(fixture, jobId, 'resume')).toMatchObject({ outcome: 'refused', detail: expect.stringContaining('SECRETS_KEY') });
    const row = await until(
      async () => {
        const found = await rowOf(fixture, jobId);
        return found['status'] === 'paused' && String(found['status_message']).includes('SECRETS_KEY') ? found : null;
      },
      { what: 'the row waits again and says what to do' },
    );
    expect(JSON.stringify(row)).not.toContain(code);
    // The worker was not let go on without its code, and GH's last statement was no second word.
    expect(await listCommands(fixture.pool, { jobId, rows: 9 })).toHaveLength(1);
    expect(await fixture.job(jobId)).toMatchObject({ state: 'waiting_human' });
  });
});
