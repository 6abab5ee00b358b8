import { z } from 'zod';

/** The columns of a claimed row that GH's executor works with. */
export const claimedJobSchema = z.object({
  id: z.string(),
  user_id: z.string(),
  job_type: z.string(),
  target_url: z.string(),
  timeout_seconds: z.number(),
  retry_count: z.number(),
  max_retries: z.number(),
  callback_url: z.string().nullable(),
  valet_task_id: z.string().nullable(),
  execution_mode: z.string().nullable(),
  metadata: z.record(z.string(), z.unknown()).nullable(),
});
export type ClaimedJob = z.infer<typeof claimedJobSchema>;

const ourMarkSchema = z.object({ yardmaster: z.object({ jobId: z.string(), attemptNumber: z.number().int() }) });

/** Which job and which attempt of it a row is: Yardmaster's mark, else the row itself and GH's own retries. */
export function identifyAttempt(job: ClaimedJob): { jobId: string; attemptNumber: number } {
  const mark = ourMarkSchema.safeParse(job.metadata);
  return mark.success ? mark.data.yardmaster : { jobId: job.id, attemptNumber: job.retry_count + 1 };
}
