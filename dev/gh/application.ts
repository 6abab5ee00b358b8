import { existsSync } from 'node:fs';
import type { AttemptRecord } from './attempt-record';
import type { Behaviour } from './behaviours';
import { messageFor } from './gh-errors';
import { askHuman, type Blocker } from './human-wait';
import type { SimulatedBrowser } from './simulated-browser';

export interface HandlerResult {
  success: boolean;
  data: Record<string, unknown>;
  awaitsReview: boolean;
}

/** Facts of this attempt that outlive a re-run of the handler. */
export interface ApplicationState {
  hasAskedHuman: boolean;
  hasCrashedBrowser: boolean;
}

const confirmationMs = 20;

/**
 * GH's handler at work on the form: open, fill in three actions, submit, read the confirmation. It begins anew whenever GH believes that its
 * browser crashed, also after a submit (ghosthands §5.3).
 */
export async function applyToPosting(record: AttemptRecord, browser: SimulatedBrowser, state: ApplicationState): Promise<HandlerResult> {
  const { behaviour, worker } = record;
  const workMs = behaviour.workMs ?? worker.times.applicationMs;
  record.note('form_opened');
  await fillForm(record, browser, state, workMs);
  if (behaviour.end === 'review') return { success: true, data: { submitted: false, platform: 'other' }, awaitsReview: true };
  // Stored as `completed` although nothing was submitted: success is false and the browser stays open (ghosthands §5.4).
  if (behaviour.end === 'keep-open') return { success: false, data: { submitted: false, keep_browser_open: true }, awaitsReview: false };
  await submit(record, browser, state);
  return { success: true, data: { submitted: true, success_message: 'Application submitted successfully' }, awaitsReview: false };
}

async function fillForm(record: AttemptRecord, browser: SimulatedBrowser, state: ApplicationState, workMs: number): Promise<void> {
  const { behaviour } = record;
  for (const action of ['click', 'type', 'upload']) {
    await doAction(record, browser, action, workMs / 3);
    if (action === 'click') await untilFileIsThere(behaviour, browser);
    if (action !== 'type') continue;
    await crashProcessIf(record, 'after-form');
    if (behaviour.isDeregistered) await deregisterWorker(record);
    if (behaviour.human?.at === 'form' && !state.hasAskedHuman) {
      state.hasAskedHuman = true;
      await meetBlocker(record, browser, behaviour.human.type);
    }
    if (behaviour.human?.at === 'error') throw new Error(messageFor(errorOfBlocker(behaviour.human.type)));
    if (behaviour.hang === 'form') await record.worker.life.forever();
    failIf(record, 'form');
    crashBrowserIf(record, browser, state, 'before-submit');
  }
}

async function untilFileIsThere({ untilFile }: Behaviour, browser: SimulatedBrowser): Promise<void> {
  while (untilFile !== null && !existsSync(untilFile)) await browser.act(20);
}

async function submit(record: AttemptRecord, browser: SimulatedBrowser, state: ApplicationState): Promise<void> {
  void record.progress('submitting', { isThrottled: true });
  await doAction(record, browser, 'click', 0);
  record.note('submitted');
  await crashProcessIf(record, 'after-submit');
  failIf(record, 'after-submit');
  crashBrowserIf(record, browser, state, 'after-submit');
  await browser.act(confirmationMs);
}

/** GH does not wait for the rows of its step events: it acts on while the database is away. */
async function doAction(record: AttemptRecord, browser: SimulatedBrowser, action: string, ms: number): Promise<void> {
  record.actionCount++;
  void record.event('step_started', { action, action_count: record.actionCount });
  await browser.act(ms);
  void record.event('step_completed', { action, action_count: record.actionCount });
  void record.progress('filling_form', { isThrottled: true });
}

/** Found at the end of an action: the row pauses and the handler waits with it. Left unanswered, the browser stays paused (ghosthands §6.1). */
async function meetBlocker(record: AttemptRecord, browser: SimulatedBrowser, type: string): Promise<void> {
  const blocker: Blocker = { type, confidence: 0.9, details: `Page shows a ${type} challenge`, source: 'combined' };
  await record.event('observation_started', { url: record.job.target_url });
  await record.event('blocker_detected', {
    blocker_type: type,
    confidence: blocker.confidence,
    source: blocker.source,
    details: blocker.details,
  });
  await askHuman(record, browser, blocker);
}

/** Deregistering fails the row over the API without a word to the worker; the callback has neither worker_id nor cost (ghosthands §1.4). */
async function deregisterWorker(record: AttemptRecord): Promise<void> {
  const reason = 'deregistered by the simulator';
  await record.patch({
    status: 'failed',
    completed_at: record.worker.now(),
    error_code: 'worker_deregistered',
    error_details: { message: `Worker deregistered: ${reason}` },
  });
  await record.worker.rest.send('deregistration', `update gh_worker_registry set status = 'offline' where worker_id = $1`, [
    record.worker.workerId,
  ]);
  record.callback('failed', { worker_id: undefined, error_code: 'worker_deregistered', error_message: reason });
}

export function failIf(record: AttemptRecord, at: 'start' | 'form' | 'after-submit'): void {
  const { failure } = record.behaviour;
  if (failure?.at === at && record.attemptNumber <= failure.times) throw new Error(messageFor(failure.code));
}

export async function crashProcessIf(record: AttemptRecord, at: 'before-form' | 'after-form' | 'after-submit'): Promise<void> {
  const { crash } = record.behaviour;
  if (crash?.at !== at || record.attemptNumber > crash.times) return;
  record.worker.exit(1, `crash ${at}`);
  await record.worker.life.forever();
}

function crashBrowserIf(
  record: AttemptRecord,
  browser: SimulatedBrowser,
  state: ApplicationState,
  at: 'before-submit' | 'after-submit',
): void {
  if (record.behaviour.browserCrash?.at !== at || state.hasCrashedBrowser) return;
  state.hasCrashedBrowser = true;
  browser.stop();
}

const errorOfBlocker = (type: string): string =>
  ({ captcha: 'captcha_blocked', '2fa': '2fa_required', login: 'login_required' })[type] ?? 'captcha_blocked';
