-- GH staging: main plus its migrations 018-026 as far as they meet us (ghosthands §9). job_type keeps its CHECK here too, although
-- staging's apply route inserts `smart_apply`. Page contexts, Mastra's own tables and row level security are left out.
\ir main.sql

-- 021: two more statuses. `resumed` and `awaiting_user_review` are legal nowhere.
alter table gh_automation_jobs drop constraint gh_jobs_status_check;
alter table gh_automation_jobs add constraint gh_jobs_status_check check (
  status in (
    'pending', 'queued', 'running', 'paused', 'needs_human', 'awaiting_review', 'completed', 'failed', 'cancelled', 'expired'
  )
);

-- 018 and 024: Mastra comes, the cookbook goes.
alter table gh_automation_jobs drop constraint gh_automation_jobs_execution_mode_check;
alter table gh_automation_jobs add constraint gh_automation_jobs_execution_mode_check
  check (execution_mode in ('auto', 'ai_only', 'hybrid', 'smart_apply', 'agent_apply', 'mastra'));
alter table gh_automation_jobs drop constraint gh_automation_jobs_final_mode_check;
alter table gh_automation_jobs add constraint gh_automation_jobs_final_mode_check
  check (final_mode in ('magnitude', 'hybrid', 'smart_apply', 'agent_apply', 'mastra'));

-- 019: a row here before a callback is sent, so each word goes out once in the life of a job row.
create table gh_callback_dedupe (
  job_id uuid not null,
  event_type text not null,
  nonce text not null,
  created_at timestamptz not null default now(),
  primary key (job_id, event_type, nonce)
);
create index idx_gh_callback_dedupe_created on gh_callback_dedupe (created_at);

-- 025: what main lacks.
alter table gh_automation_jobs
  add column llm_cost_cents integer default 0,
  add column action_count integer default 0,
  add column total_tokens integer default 0;
create index idx_gh_jobs_cost on gh_automation_jobs (user_id, llm_cost_cents) where llm_cost_cents > 0;

-- 026: one report per job, read directly by VALET.
create table gh_application_reports (
  id uuid primary key default gen_random_uuid(),
  job_id uuid not null unique references gh_automation_jobs (id) on delete cascade,
  user_id uuid not null,
  valet_task_id text,
  job_url text not null,
  company_name text,
  job_title text,
  platform text,
  resume_ref text,
  fields_submitted jsonb not null default '[]',
  total_fields integer not null default 0,
  fields_filled integer not null default 0,
  fields_failed integer not null default 0,
  fields_unresolved integer not null default 0,
  status text not null default 'completed',
  submitted boolean not null default false,
  result_summary text,
  llm_cost_cents integer,
  action_count integer,
  total_tokens integer,
  screenshot_urls jsonb default '[]',
  started_at timestamptz,
  completed_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
