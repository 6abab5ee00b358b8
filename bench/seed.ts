import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Client } from 'pg';
import { projectRoot } from '../src/project-root';
import { createFreshDatabase, registerWorkers, withClient, withDatabaseName } from './database';

/** A database with so many ended jobs behind it; one from an earlier run is taken as it is when it was seeded by the same statements. */
export const ensureSeededDatabase = async (
  serverUrl: string,
  { endedJobs, workers, say }: { endedJobs: number; workers: number; say(line: string): void },
): Promise<string> => {
  const name = `bench_ended_${endedJobs}`;
  const version = seedVersion(workers);
  if (await isSeeded(serverUrl, name, version)) return withDatabaseName(serverUrl, name);
  say(`Seeds ${endedJobs} ended jobs, once`);
  const startedAt = performance.now();
  const databaseUrl = await createFreshDatabase(serverUrl, name);
  await withClient(databaseUrl, async (client) => {
    await registerWorkers(client, workers);
    await insertEndedJobs(client, endedJobs);
    await client.query('create table bench_seed (version text primary key)');
    await client.query('insert into bench_seed values ($1)', [version]);
    await client.query('vacuum (analyze)');
    await client.query('checkpoint');
  });
  say(`Seeded in ${((performance.now() - startedAt) / 1000).toFixed(0)} s`);
  return databaseUrl;
};

const seedVersion = (workers: number): string => {
  const hash = createHash('sha256').update(readFileSync(__filename)).update(String(workers));
  const folders = ['src/db/migrations', 'dev/fleet-schema'].map((folder) => path.join(projectRoot(), folder));
  for (const folder of folders)
    for (const file of readdirSync(folder).toSorted()) if (file.endsWith('.sql')) hash.update(readFileSync(path.join(folder, file)));
  return hash.digest('hex');
};

const isSeeded = async (serverUrl: string, name: string, version: string): Promise<boolean> => {
  const exists = await withClient(serverUrl, async (client) => await client.query('select from pg_database where datname = $1', [name]));
  if (exists.rowCount === 0) return false;
  return await withClient(withDatabaseName(serverUrl, name), async (client) => {
    const { rows } = await client.query<{ there: boolean }>(`select to_regclass('bench_seed') is not null as there`);
    if (rows[0]?.there !== true) return false;
    return (await client.query('select from bench_seed where version = $1', [version])).rowCount === 1;
  });
};

const tables = ['gh_automation_jobs', 'yardmaster.job', 'yardmaster.attempt', 'yardmaster.job_transition'];

/** Set-based, without triggers and with the secondary indexes made at the end: a million jobs are eight million rows. */
const insertEndedJobs = async (client: Client, endedJobs: number): Promise<void> => {
  await client.query(`set session_replication_role = replica; set maintenance_work_mem = '512MB'; set synchronous_commit = off`);
  const indexes = await dropIndexes(client);
  await client.query(
    `create temp table ended as
     select gen_random_uuid() as job_id, gen_random_uuid() as attempt_id, md5('user ' || n % 20000)::uuid as user_id,
       'worker-' || 1 + n % 1000 as worker_id, now() - interval '29 days' * random() as accepted_at, n
     from generate_series(1, $1::int) n`,
    [endedJobs],
  );
  for (const statement of statements) await client.query(statement);
  for (const definition of indexes) await client.query(definition);
  await client.query('set session_replication_role = origin; drop table ended');
};

const dropIndexes = async (client: Client): Promise<string[]> => {
  const { rows } = await client.query<{ name: string; definition: string }>(
    `select i.indexrelid::regclass::text as name, pg_get_indexdef(i.indexrelid) as definition
     from pg_index i
     where i.indrelid = any($1::regclass[]) and not exists (select from pg_constraint c where c.conindid = i.indexrelid)`,
    [tables],
  );
  for (const { name } of rows) await client.query(`drop index ${name}`);
  return rows.map(({ definition }) => definition);
};

const statements = [
  `insert into yardmaster.job (job_id, state, reason, state_at, owner, user_id, valet_task_id, idempotency_key, request_hash, accepted_by,
     request_id, accepted_at, timeout_seconds, attempts, attempt_id, job_deadline_at, submission, ended_at, touched_at)
   select job_id, case when n % 10 = 0 then 'failed' else 'succeeded' end, 'completed', accepted_at + interval '5 min', gen_random_uuid()::text,
     user_id, 'task-' || n, 'key-' || n, md5(n::text), 'product', md5(n::text), accepted_at, 1800, 1, attempt_id,
     accepted_at + interval '36 hours', 'yes', accepted_at + interval '5 min', accepted_at + interval '5 min'
   from ended`,
  `insert into yardmaster.attempt (attempt_id, job_id, generation, number, worker_id, host, instance_id, state, end_reason, submission, assigned_at,
     claimed_at, ended_at, erased_at)
   select attempt_id, job_id, 1, 1, worker_id, '10.0.0.1', 'i-1', 'ended', 'completed', 'yes', accepted_at, accepted_at,
     accepted_at + interval '5 min', accepted_at + interval '5 min'
   from ended`,
  `insert into yardmaster.job_transition (job_id, generation, at, state, reason, attempt_id, worker_id)
   select job_id, 1, accepted_at, state, state, attempt_id, worker_id
   from ended cross join unnest(array['accepted', 'waiting', 'assigned', 'running', 'succeeded']) as state`,
  `insert into gh_automation_jobs (id, user_id, created_by, job_type, target_url, task_description, input_data, valet_task_id, idempotency_key,
     status, worker_affinity, worker_id, started_at, completed_at, last_heartbeat, created_at, result_data)
   select job_id, user_id, 'yardmaster', 'apply', 'https://jobs.example.test/postings/' || n, 'Apply to the job posting at the target URL',
     jsonb_build_object('user_data', jsonb_build_object('first_name', 'Zoë', 'last_name', 'Ünal', 'email', 'zoe-' || n || '@example.test'),
       'qa_overrides', jsonb_build_object('Are you authorised to work here?', 'Yes'), 'tier', 'starter', 'platform', 'greenhouse'),
     'task-' || n, 'key-' || n, case when n % 10 = 0 then 'failed' else 'completed' end, 'strict', worker_id, accepted_at, accepted_at + interval '5 min',
     accepted_at + interval '5 min', accepted_at, '{"submitted": true}'
   from ended`,
  `insert into gh_automation_jobs (id, user_id, created_by, job_type, target_url, task_description, status, worker_affinity, worker_id,
     started_at, completed_at, last_heartbeat, created_at, max_retries, callback_url)
   select attempt_id, user_id, 'yardmaster', 'apply', 'https://jobs.example.test/postings/' || n, 'Apply to the job posting at the target URL',
     'completed', 'strict', worker_id, accepted_at, accepted_at + interval '5 min', accepted_at + interval '5 min', accepted_at, -1,
     'https://gateway.example.test/v1/callbacks/ghosthands/' || attempt_id
   from ended`,
];
