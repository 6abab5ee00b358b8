import { anything, constantFrom, double, option, property, record, string, boolean } from 'fast-check';
import { callbackStatuses, type CallbackStatus } from '../../../src/contracts/callback';
import { humanKinds, jobStates } from '../../../src/contracts/job';
import { makeCallbackBody, type CallbackFacts } from '../../../src/domain/callback-body';
import { findCounterexample, now } from './facts';

type Result = NonNullable<CallbackFacts['result']>;

const makeResult = (more: Partial<Result> = {}): Result => ({
  resultData: null,
  resultSummary: null,
  screenshotUrl: null,
  cost: null,
  interactionType: null,
  interaction: { description: null, page_url: null, screenshot_url: null },
  ...more,
});

const makeFacts = (more: Partial<CallbackFacts> = {}): CallbackFacts => ({
  jobId: 'd36e737d-e9f2-4de0-aeaf-66f1539a39cb',
  valetTaskId: '0bdaa02d-7c55-467f-b26d-8d7c48ed6dea',
  state: 'running',
  workerId: 'worker-1',
  at: now,
  errorCode: null,
  errorMessage: null,
  humanKind: null,
  humanWaitMs: null,
  isRerunByGh: false,
  result: makeResult(),
  ...more,
});

const cost = { total_cost_usd: 0.12, action_count: 7, total_tokens: 900 };
const base = { job_id: makeFacts().jobId, valet_task_id: makeFacts().valetTaskId, worker_id: 'worker-1' };
const completedAt = '2026-03-01T12:00:00.000Z';

/** As it goes over the wire, where fields without a value are absent. */
const sent = (status: CallbackStatus, facts: Partial<CallbackFacts> = {}): unknown =>
  JSON.parse(JSON.stringify(makeCallbackBody(status, makeFacts(facts))));

describe('the body of a callback', () => {
  test('of running is the status alone', () => {
    expect(sent('running')).toEqual({ ...base, status: 'running' });
  });

  test('names no worker where there is none', () => {
    expect(sent('cancelled', { workerId: null, state: 'cancelled' })).toEqual({
      job_id: base.job_id,
      valet_task_id: base.valet_task_id,
      status: 'cancelled',
      completed_at: completedAt,
    });
  });

  test('P8: has no secret of a page in it, wherever an address stands, and the signed address of its picture whole', () => {
    const signed = 'https://s3.test/1.png?X-Amz-Signature=abc';
    const page = 'https://u:planted@site.test/apply?id=7&token=planted#access_token=planted';
    const interaction = { description: `Solve it at ${page} please`, page_url: page, screenshot_url: signed };
    const paused = sent('paused', { state: 'waiting_human', humanKind: 'blocker', result: makeResult({ interaction }) });
    expect(paused).toMatchObject({ interaction: { page_url: 'https://site.test/apply?id=7', screenshot_url: signed } });
    const result = makeResult({ resultData: { page, steps: [{ at: page }] }, resultSummary: `Sent from ${page}`, screenshotUrl: signed });
    const completed = sent('completed', { state: 'succeeded', result });
    expect(completed).toMatchObject({ screenshot_url: signed, result_data: { page: 'https://site.test/apply?id=7' } });
    const failed = sent('failed', { state: 'failed', errorMessage: `net::ERR_ABORTED at ${page}` });
    expect(JSON.stringify([paused, completed, failed])).not.toContain('planted');
  });

  test('of completed brings what the attempt left', () => {
    const result = makeResult({ resultData: { submitted: true }, resultSummary: 'Done', screenshotUrl: 'https://s.test/1.png', cost });
    expect(sent('completed', { state: 'succeeded', result })).toEqual({
      ...base,
      status: 'completed',
      completed_at: completedAt,
      result_data: { submitted: true },
      result_summary: 'Done',
      screenshot_url: 'https://s.test/1.png',
      cost,
    });
  });

  test('of completed without an attempt still says what happened', () => {
    expect(sent('completed', { state: 'succeeded', result: null })).toMatchObject({ result_summary: 'Application submitted' });
  });

  test('of failed brings the reason, its costs and no result', () => {
    const result = makeResult({ resultData: { partly: true }, cost });
    const facts = { state: 'failed', errorCode: 'login_required', errorMessage: 'The page wants a login', result } as const;
    expect(sent('failed', facts)).toEqual({
      ...base,
      status: 'failed',
      completed_at: completedAt,
      cost,
      error_code: 'login_required',
      error_message: 'The page wants a login',
    });
  });

  test("of failed cuts a code to the 50 characters of VALET's column", () => {
    expect(makeCallbackBody('failed', makeFacts({ state: 'failed', errorCode: 'x'.repeat(51) })).error_code).toHaveLength(50);
  });

  test('of an uncertain job warns before a retry, and says why it is uncertain', () => {
    expect(sent('failed', { state: 'uncertain', errorCode: 'timeout', errorMessage: 'Job execution timeout' })).toEqual({
      ...base,
      status: 'failed',
      completed_at: completedAt,
      error_code: 'submission_uncertain',
      error_message: 'It may already be submitted: check before retrying. Job execution timeout',
    });
  });

  test('of expired says that no worker was free', () => {
    expect(sent('expired', { state: 'expired', result: null, workerId: null })).toMatchObject({
      status: 'expired',
      error_code: 'expired',
      error_message: 'No worker was free in time',
    });
  });

  test('of paused at a blocker says what is asked of the human, and how long', () => {
    const interaction = { description: 'A picture puzzle', page_url: 'https://jobs.test/7', screenshot_url: 'https://s.test/2.png' };
    const result = makeResult({ interactionType: 'captcha', interaction });
    expect(sent('paused', { state: 'waiting_human', humanKind: 'blocker', humanWaitMs: 319_400, result })).toEqual({
      ...base,
      status: 'paused',
      interaction: { type: 'captcha', ...interaction, timeout_seconds: 319 },
    });
  });

  test('of paused at a review says so, with the last screenshot', () => {
    const result = makeResult({ screenshotUrl: 'https://s.test/3.png' });
    expect(sent('paused', { state: 'waiting_human', humanKind: 'review', humanWaitMs: 86_400_000, result })).toMatchObject({
      interaction: { type: 'review', screenshot_url: 'https://s.test/3.png', timeout_seconds: 86_400 },
    });
  });

  test('of paused has an interaction even when the row says nothing about it', () => {
    expect(sent('paused', { state: 'waiting_human', humanKind: 'blocker', humanWaitMs: -5, result: null })).toMatchObject({
      interaction: { type: 'unknown', description: 'The worker waits for a person', timeout_seconds: 0 },
    });
  });

  test.each(['completed', 'failed'] as const)("of %s tells of GH's own second run of the form", (status) => {
    const body = makeCallbackBody(
      status,
      makeFacts({ isRerunByGh: true, errorMessage: 'why', result: makeResult({ resultSummary: 'Done' }) }),
    );
    expect(body.result_summary ?? body.error_message).toMatch(/^(Done|why) \(.*check for a double submission\)$/);
  });

  test('keeps its promises to the product whatever an attempt left (valet §2.2)', () => {
    expect(findCounterexample(property(constantFrom(...callbackStatuses), anyFacts, isSafe), { numRuns: 1_000 })).toBeNull();
  });
});

/** The fields that a status may have, and no others: each unknown one may replace the metadata of VALET's task. */
const allowed: Record<CallbackStatus, readonly string[]> = {
  running: [],
  paused: ['interaction'],
  completed: ['completed_at', 'result_data', 'result_summary', 'screenshot_url', 'cost'],
  failed: ['completed_at', 'cost', 'error_code', 'error_message'],
  cancelled: ['completed_at'],
  expired: ['completed_at', 'error_code', 'error_message'],
};

const isSafe = (status: CallbackStatus, facts: CallbackFacts): boolean => {
  const body = makeCallbackBody(status, facts);
  const fields = Object.keys(body).filter((field) => !['job_id', 'valet_task_id', 'status', 'worker_id'].includes(field));
  const isFinal = !['running', 'paused'].includes(status);
  return (
    body.job_id === facts.jobId &&
    body.status === status &&
    fields.every((field) => allowed[status].includes(field)) &&
    !['kasm_url', 'browser_session_available', 'cost_breakdown'].some((field) => field in body) &&
    (body.error_code === undefined || (body.error_code.length > 0 && body.error_code.length <= 50)) &&
    (body.interaction === undefined || body.interaction.timeout_seconds >= 0) &&
    isFinal === (body.completed_at !== undefined)
  );
};

const anyText = option(string({ maxLength: 80 }), { nil: null });
const anyFacts = record<CallbackFacts>({
  jobId: constantFrom('d36e737d-e9f2-4de0-aeaf-66f1539a39cb'),
  valetTaskId: constantFrom(null, '0bdaa02d-7c55-467f-b26d-8d7c48ed6dea'),
  state: constantFrom(...jobStates),
  workerId: constantFrom(null, 'worker-1'),
  at: constantFrom(now),
  errorCode: option(string({ minLength: 1, maxLength: 80 }), { nil: null }),
  errorMessage: anyText,
  humanKind: constantFrom(null, ...humanKinds),
  humanWaitMs: option(double({ min: -1e6, max: 1e9, noNaN: true }), { nil: null }),
  isRerunByGh: boolean(),
  result: option(
    record<Result>({
      resultData: anything(),
      resultSummary: anyText,
      screenshotUrl: anyText,
      cost: constantFrom(null, cost),
      interactionType: anyText,
      interaction: record({ description: anyText, page_url: anyText, screenshot_url: anyText }),
    }),
    { nil: null },
  ),
});
