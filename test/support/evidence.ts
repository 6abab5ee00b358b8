import type { Client } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils';
import type { Pool } from 'pg';
import type { CallbackBody } from '../../src/contracts/callback';
import type { JobState } from '../../src/contracts/job';
import type { SubmissionEntry } from '../../dev/gh/submissions-log';
import type { ControlPlane } from './control-plane';

/** What a run left behind, everywhere; test/support/checker.ts judges it. */
export interface Evidence {
  acceptedJobIds: readonly string[];
  jobs: JobRecord[];
  transitions: { jobId: string; generation: number; seq: number; state: JobState; reason: string }[];
  attempts: { attemptId: string; jobId: string; generation: number; number: number }[];
  callbacks: CallbackRecord[];
  /** In the order of arrival. */
  received: readonly CallbackBody[];
  submissions: readonly SubmissionEntry[];
  /** Where nothing unspeakable may stand; `words` narrows down what is looked for there. */
  texts: { where: string; text: string; words?: readonly string[] }[];
  unspeakable: readonly string[];
}

export interface JobRecord {
  jobId: string;
  generation: number;
  state: JobState;
  isRerunByGh: boolean;
  hasCallbackUrl: boolean;
  /** Status of the public row. */
  mirrorStatus: string | null;
  attemptsWithPersonalData: number;
}

export interface CallbackRecord {
  jobId: string;
  generation: number;
  seq: number;
  word: string;
  isFinal: boolean;
  settledAs: string | null;
  body: CallbackBody;
}

export const gatherEvidence = async ({
  pool,
  client,
  plane,
  acceptedJobIds,
}: {
  pool: Pool;
  client: Client;
  plane: ControlPlane;
  acceptedJobIds: readonly string[];
}): Promise<Evidence> => ({
  acceptedJobIds,
  ...(await readJobRows(pool)),
  received: plane.product.received,
  submissions: plane.simulator.log(),
  texts: [...(await readLogs(plane)), ...(await readHistories(client)), ...(await readOwnRows(pool, plane.secrets))],
  unspeakable: plane.unspeakable,
});

/** What our rows say of all jobs. */
export const readJobRows = async (pool: Pool): Promise<Pick<Evidence, 'jobs' | 'transitions' | 'attempts' | 'callbacks'>> => ({
  jobs: await rowsOf<JobRecord>(
    pool,
    `select j.job_id as "jobId", j.generation, j.state, j.is_rerun_by_gh as "isRerunByGh", j.callback_url is not null as "hasCallbackUrl",
       g.status as "mirrorStatus", (
         select count(*)::int from yardmaster.attempt a join gh_automation_jobs r on r.id = a.attempt_id
         where a.job_id = j.job_id and a.ended_at is not null and j.ended_at is not null and r.input_data <> '{}') as "attemptsWithPersonalData"
     from yardmaster.job j left join gh_automation_jobs g on g.id = j.job_id`,
  ),
  transitions: await rowsOf(pool, `select job_id as "jobId", generation, seq, state, reason from yardmaster.job_transition`),
  attempts: await rowsOf(pool, `select attempt_id as "attemptId", job_id as "jobId", generation, number from yardmaster.attempt`),
  callbacks: await rowsOf(
    pool,
    `select job_id as "jobId", generation, seq, word, is_final as "isFinal", settled_as as "settledAs", body from yardmaster.callback`,
  ),
});

const rowsOf = async <Row extends object>(pool: Pool, statement: string): Promise<Row[]> => (await pool.query<Row>(statement)).rows;

const readLogs = async ({ gateway, orchestrators }: ControlPlane): Promise<Evidence['texts']> =>
  await Promise.all([gateway, ...orchestrators].map(async (each) => ({ where: each.logFile, text: await each.readLog() })));

/** Every history of the namespace, its payloads decoded. */
const readHistories = async (client: Client): Promise<Evidence['texts']> => {
  const texts: Evidence['texts'] = [];
  const found: { workflowId: string; runId: string }[] = [];
  for await (const { workflowId, runId } of client.workflow.list()) found.push({ workflowId, runId });
  const queue = found.values();
  const reader = async (): Promise<void> => {
    for (const { workflowId, runId } of queue) {
      const json = historyToJSON(await client.workflow.getHandle(workflowId, runId).fetchHistory());
      const payloads = Array.from(json.matchAll(/"data": "([^"]*)"/g), ([, data = '']) => Buffer.from(data, 'base64').toString());
      texts.push({ where: `the history of ${workflowId}`, text: [json, ...payloads].join('\n') });
    }
  };
  await Promise.all(Array.from({ length: readersAtOnce }, reader));
  return texts;
};

const readersAtOnce = 8;

/** Rows of ours may hold what goes to the product, and no secret. */
const readOwnRows = async (pool: Pool, secrets: readonly string[]): Promise<Evidence['texts']> => {
  const tables = await rowsOf<{ name: string }>(
    pool,
    `select quote_ident(table_name) as name from information_schema.tables where table_schema = 'yardmaster' and table_type = 'BASE TABLE'`,
  );
  return await Promise.all(
    tables.map(async ({ name }) => {
      const rows = await rowsOf<{ text: string }>(pool, `select t::text as text from yardmaster.${name} t`);
      return { where: `table yardmaster.${name}`, text: rows.map(({ text }) => text).join('\n'), words: secrets };
    }),
  );
};
