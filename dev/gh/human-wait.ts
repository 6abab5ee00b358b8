import { z } from 'zod';
import type { AttemptRecord } from './attempt-record';
import type { SimulatedBrowser } from './simulated-browser';

export interface Blocker {
  type: string;
  confidence: number;
  details: string;
  source: 'dom' | 'observe' | 'combined';
}

const resolutionSchema = z.object({
  resolution_type: z.string().default('manual'),
  resolution_data: z
    .object({ code: z.coerce.string(), username: z.string(), email: z.string(), password: z.string() })
    .partial()
    .optional(),
});
type Resolution = z.infer<typeof resolutionSchema>;

const justResumed: Resolution = { resolution_type: 'manual' };

/**
 * Pauses the row, notifies the product, and waits for `gh_job_resume` with the row's id or 300 s (ghosthands §6.1). Answers whether a human came.
 * Nothing ties the wait to its attempt: it goes on when the handler has timed out, and then it takes a later code or fails a row that is
 * somebody else's by now (ghosthands §4.4).
 */
export async function askHuman(record: AttemptRecord, browser: SimulatedBrowser, blocker: Blocker): Promise<boolean> {
  await pauseRow(record, browser, blocker);
  const resolution = await waitForResume(record);
  if (!resolution) {
    await record.event('hitl_timeout', { timeout_seconds: 300 });
    await record.patch({
      status: 'failed',
      completed_at: record.worker.now(),
      error_code: 'hitl_timeout',
      error_details: { message: 'Human intervention timed out after 300s', blocker_type: blocker.type },
    });
    return false;
  }
  await injectResolution(record, resolution);
  browser.resume();
  await record.patch({ status: 'running', paused_at: null, status_message: 'Resumed after human intervention' });
  await record.event('hitl_resumed', { resolution_type: resolution.resolution_type });
  record.callback('resumed');
  return true;
}

async function pauseRow(record: AttemptRecord, browser: SimulatedBrowser, blocker: Blocker): Promise<void> {
  const { job } = record;
  const screenshotUrl = `https://storage.sim.test/screenshots/gh/jobs/${job.id}/blocker.png`;
  await record.patch({
    status: 'paused',
    interaction_type: blocker.type,
    interaction_data: {
      type: blocker.type,
      confidence: blocker.confidence,
      details: blocker.details,
      screenshot_url: screenshotUrl,
      page_url: job.target_url,
      detected_at: record.worker.now().toISOString(),
    },
    paused_at: record.worker.now(),
    status_message: `Waiting for human: ${blocker.type}`,
  });
  browser.pause();
  record.note('paused', blocker.type);
  await record.event('hitl_paused', {
    blocker_type: blocker.type,
    confidence: blocker.confidence,
    source: blocker.source,
    page_url: job.target_url,
    screenshot_url: screenshotUrl,
  });
  record.callback('needs_human', {
    interaction: {
      type: blocker.type,
      screenshot_url: screenshotUrl,
      page_url: job.target_url,
      timeout_seconds: 300,
      description: blocker.details,
      metadata: {
        blocker_confidence: blocker.confidence,
        ...(blocker.type === 'captcha' && { captcha_type: 'unknown' }),
        detection_method: blocker.source,
      },
    },
    cost: record.callbackCost,
  });
}

async function waitForResume(record: AttemptRecord): Promise<Resolution | null> {
  const { database } = record.worker;
  if (!database.hasDirectPool) return waitByPolling(record);
  const isResumed = await waitByListening(record);
  return isResumed ? readAndClearResolution(record) : null;
}

/** A notification that comes before the LISTEN is lost, and there is no polling beside it (ghosthands §6.1). */
async function waitByListening(record: AttemptRecord): Promise<boolean> {
  const { database, life, times } = record.worker;
  const client = await database.checkOut('resume listener');
  await life.run(client.query('LISTEN gh_job_resume'));
  const isResumed = await new Promise<boolean>((resolve) => {
    const cancelTimeout = life.after(times.humanWaitMs, () => finish(false));
    const onNotification = (message: { channel: string; payload?: string }): void => {
      if (message.channel === 'gh_job_resume' && message.payload === record.job.id) life.whenAwake(() => finish(true));
    };
    const finish = (answer: boolean): void => {
      cancelTimeout();
      client.off('notification', onNotification);
      resolve(answer);
    };
    client.on('notification', onNotification);
  });
  // Not awaited by GH; its failure means that the connection is gone, which is noticed elsewhere.
  client.query('UNLISTEN gh_job_resume').catch(() => {});
  client.release();
  return isResumed;
}

async function waitByPolling(record: AttemptRecord): Promise<Resolution | null> {
  const { life, rest, times } = record.worker;
  const deadline = Date.now() + times.humanWaitMs;
  while (Date.now() < deadline) {
    const row = await rest.send<{ status: string }>('status read', 'select status from gh_automation_jobs where id = $1', [record.job.id]);
    if (row?.status === 'running') return readAndClearResolution(record);
    await life.sleep(times.humanPollMs);
  }
  return null;
}

/** The keys are deleted, the rest of interaction_data stays as it was (ghosthands §6.2). */
async function readAndClearResolution(record: AttemptRecord): Promise<Resolution> {
  const { database, rest } = record.worker;
  const rowId = record.job.id;
  const read = 'select interaction_data from gh_automation_jobs where id = $1';
  const clear = `
    update gh_automation_jobs
    set interaction_data = interaction_data - 'resolution_type' - 'resolution_data' - 'resolved_by' - 'resolved_at'
    where id = $1`;
  if (!database.hasDirectPool) {
    const row = await rest.send<{ interaction_data: unknown }>('resolution read', read, [rowId]);
    await rest.send('resolution clear', clear, [rowId]);
    return parseResolution(row?.interaction_data);
  }
  try {
    const { rows } = await database.poolQuery<{ interaction_data: unknown }>(read, [rowId]);
    await database.poolQuery(clear, [rowId]);
    return parseResolution(rows[0]?.interaction_data);
  } catch {
    // GH goes on without the data when it cannot read them.
    return justResumed;
  }
}

function parseResolution(interactionData: unknown): Resolution {
  const parsed = resolutionSchema.safeParse(interactionData);
  return parsed.success ? parsed.data : justResumed;
}

async function injectResolution(record: AttemptRecord, resolution: Resolution): Promise<void> {
  const { resolution_type: type, resolution_data: data } = resolution;
  if (type === 'code_entry' && data?.code !== undefined) {
    record.note('code_received', data.code);
    await record.event('credential_injection_attempted', { injection_type: 'code_entry' });
    await record.event('credential_injection_succeeded', { injection_type: 'code_entry', selector: 'input[name*="code" i]' });
  } else if (type === 'credentials' && data) {
    const username = data.username ?? data.email;
    record.note('code_received', `credentials of ${username ?? 'nobody'}`);
    await record.event('credential_injection_attempted', {
      injection_type: 'credentials',
      has_username: username !== undefined,
      has_password: data.password !== undefined,
    });
  }
}
