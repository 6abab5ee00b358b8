import type { Figure } from '../figures';
import { awaitSuccess, submitJob } from '../job-client';
import { interleave, median, msSince, quantile } from '../statistics';
import type { BenchFixture } from '../bench-fixture';

interface Sample {
  /** From the request to its reply. */
  replyMs: number;
  /** From the request until somebody begins to work: the worker is notified, the first activity begins. */
  beginMs: number;
}

/** One job at a time on an idle server: how fast is the gateway, and how far is it from there to a worker? */
export const measureAccept = async (fixture: BenchFixture, turns: { rounds: number; deadlineAt: number }): Promise<Figure[]> => {
  const { ours, baseline } = await interleave(
    { ...turns, warmUp: Math.min(20, turns.rounds) },
    async () => await sampleOurs(fixture),
    async () => await sampleBare(fixture),
  );
  const replies = [ours.map(({ replyMs }) => replyMs), baseline.map(({ replyMs }) => replyMs)] as const;
  const begins = [ours.map(({ beginMs }) => beginMs), baseline.map(({ beginMs }) => beginMs)] as const;
  return [
    {
      name: 'POST → worker notified, p50',
      unit: 'ms',
      ours: median(begins[0]),
      baseline: median(begins[1]),
      goal: { of: 'ratio', atMost: 0.25 },
    },
    // What it takes when nothing else runs on the machine for a moment.
    { name: 'POST → worker notified, p10', unit: 'ms', ours: quantile(begins[0], 0.1), baseline: quantile(begins[1], 0.1) },
    { name: 'POST → worker notified, p99', unit: 'ms', ours: quantile(begins[0], 0.99), baseline: quantile(begins[1], 0.99) },
    {
      name: 'reply of the POST, p50',
      unit: 'ms',
      ours: median(replies[0]),
      baseline: median(replies[1]),
      goal: { of: 'ratio', atMost: 2 },
    },
    { name: 'reply of the POST, p10', unit: 'ms', ours: quantile(replies[0], 0.1), baseline: quantile(replies[1], 0.1) },
    { name: 'reply of the POST, p99', unit: 'ms', ours: quantile(replies[0], 0.99), baseline: quantile(replies[1], 0.99) },
  ];
};

export const sampleOurs = async ({ ours, client }: BenchFixture): Promise<Sample> => {
  const startedAt = performance.now();
  const jobId = await submitJob(ours);
  const replyMs = msSince(startedAt);
  const notifiedAt = await ours.gh.notifiedAt(jobId);
  // The next turn meets an idle server.
  await awaitSuccess(client, jobId);
  return { replyMs, beginMs: notifiedAt - startedAt };
};

/** The reply of something that only keeps the request and starts a workflow; the way to the first activity is counted from the start alone. */
export const sampleBare = async ({ pool, bare }: BenchFixture): Promise<Sample> => {
  const acceptedAt = performance.now();
  await pool.query(`insert into bare_job (job_id, body) values (gen_random_uuid(), '{}')`);
  const startedAt = performance.now();
  const { handle, firstActivityAt } = await bare.start(1);
  const replyMs = msSince(acceptedAt);
  const beginMs = (await firstActivityAt) - startedAt;
  await handle.result();
  return { replyMs, beginMs };
};
