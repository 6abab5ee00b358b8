import { z } from 'zod';

/** GH's values for the status of a row, both branches (ghosthands §5.1, ghosthands §9). A value outside of it is reported, not trusted. */
export const ghStatuses = [
  'pending',
  'queued',
  'running',
  'paused',
  'needs_human',
  'awaiting_review',
  'completed',
  'failed',
  'cancelled',
  'expired',
] as const;
export type GhStatus = (typeof ghStatuses)[number];

/** An attempt row with what its events prove, read in one statement (src/db/attempts/attempts.ts). */
export const attemptSnapshotSchema = z.object({
  status: z.enum(ghStatuses),
  statusMessage: z.string().nullable(),
  jobType: z.string(),
  workerId: z.string().nullable(),
  isArmed: z.boolean(),
  hasStarted: z.boolean(),
  /** Database clock of the first claim, from the status trigger; null where that trigger is missing. */
  claimedAt: z.date().nullable(),
  heartbeatAgeMs: z.number().nullable(),
  pausedAt: z.date().nullable(),
  interactionType: z.string().nullable(),
  errorCode: z.string().nullable(),
  errorMessage: z.string().nullable(),
  wasReleased: z.boolean(),
  hasResult: z.boolean(),
  /** `result_data.submitted`, or `success`; null where GH says nothing about it. */
  resultSubmitted: z.boolean().nullable(),
  /** Postgres started again since the claim: what the worker wrote meanwhile, once and for good, went nowhere (ghosthands §5.6). */
  mayHaveLostWrites: z.boolean(),
  hasHandlerEvent: z.boolean(),
  hasCrashEvent: z.boolean(),
  hasReviewEvent: z.boolean(),
  openHumanWaits: z.number().int(),
  /** The end that a callback of the attempt's own worker reported, whatever the row says; null when none came. */
  callbackEnd: z
    .object({
      status: z.enum(['completed', 'failed']),
      submitted: z.boolean().nullable(),
      errorCode: z.string().nullable(),
      /** From its arrival to the last sign of the attempt's own worker in the row and its events; null: there is none. */
      wentOnMs: z.number().nullable(),
    })
    .nullable(),
});
export type AttemptSnapshot = z.infer<typeof attemptSnapshotSchema>;

/** Of GH's ids and words: short, and without control characters or halves of characters, which Postgres refuses. */
const word = (charsMax: number) =>
  z
    .string()
    .max(charsMax)
    .regex(/^[^\p{Cc}\p{Cs}]*$/u);

/**
 * `GET /worker/status` on the worker port (ghosthands §2.1). Unknown fields are dropped, missing ones refuse the answer, and so do values that no worker
 * has: the probes of all hosts are written by one statement, which one value out of range would break for the whole fleet.
 */
export const workerStatusSchema = z.object({
  worker_id: word(255),
  active_jobs: z.number().int().min(0).max(10_000),
  is_running: z.boolean(),
  is_draining: z.boolean(),
  dispatch_mode: word(100),
  /** Three decades at most. */
  uptime_ms: z.number().min(0).max(1e12),
});
export type WorkerStatus = z.infer<typeof workerStatusSchema>;

/** `GET /health/version` on the API port (ghosthands §1.2): the one field that we show. */
export const apiVersionSchema = z.object({ image_tag: word(200).min(1) });

/** `GET /health` on the API port: `ok` whatever else is wrong with it (ghosthands §1.2). */
export const apiHealthSchema = z.object({ status: word(50) });

/**
 * What we keep of a callback (ghosthands §8). The rest may hold personal data, and the row says it better; whether it was submitted the row does not say
 * where its last writes were lost (ghosthands §5.6).
 */
export const ghCallbackSchema = z.object({
  job_id: z.string(),
  status: z.string().min(1).max(50),
  worker_id: z.string().max(255).nullish(),
  error_code: z.string().max(100).nullish(),
  /** Whatever it is: a strange one refuses no callback. */
  result_data: z.unknown().optional(),
});
export type GhCallback = z.infer<typeof ghCallbackSchema>;

/** What a result says about it, in the two words that GH has for it (ghosthands §5.4); null where it says nothing. */
export const submittedOf = ({ result_data: result }: GhCallback): boolean | null => {
  const { submitted, success } = resultSchema.parse(result);
  return submitted ?? success ?? null;
};
const flagSchema = z.boolean().nullish().catch(null);
const resultSchema = z.object({ submitted: flagSchema, success: flagSchema }).catch({ submitted: null, success: null });

/** Events that prove that the handler, or a recorded manual before it, had the page (ghosthands §3.2). */
export const handlerEventTypes = [
  'mode_selected',
  'mode_switched',
  'manual_found',
  'cookbook_step_started',
  'cookbook_step_completed',
  'cookbook_step_failed',
  'trace_recording_started',
  'step_started',
  'step_completed',
  'observation_started',
  'observation_completed',
  'thought',
  'browser_crash_detected',
] as const;

/** The milestones and progress of an attempt that the product reads under the public job id (valet §5). */
export const mirroredEventTypes = [
  'progress_update',
  'job_started',
  'browser_launched',
  'step_started',
  'step_completed',
  'mode_selected',
  'mode_switched',
  'manual_found',
  'resume_downloaded',
  'blocker_detected',
  'hitl_paused',
  'hitl_resumed',
  'hitl_timeout',
  'browser_crash_detected',
  'browser_crash_recovered',
  'awaiting_user_review',
  'awaiting_review',
  'job_completed',
  'job_failed',
] as const;
