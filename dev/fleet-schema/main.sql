-- The neighbours' tables as GH main's migrations 001-017 leave them, plus what VALET's own migrations add to them (ghosthands §3, valet §4.1).
-- Load it with `psql -f` or through load.ts into an empty PostgreSQL 15-18 database.
--
-- Like the migrated original it lacks llm_cost_cents, action_count and total_tokens, which the code of GH and VALET writes:
-- every write that names them is refused whole (ghosthands §3.1). Databases that live were altered by hand: main-repaired.sql.
--
-- Left out, because nothing of ours meets it: row level security and its roles, the realtime publication, gh_action_manuals (and with it
-- the foreign key of manual_id, which nobody writes), gh_user_usage, gh_user_credentials.

create table gh_automation_jobs (
  id uuid primary key default gen_random_uuid(),
  idempotency_key varchar(255) unique,
  user_id uuid not null,
  created_by varchar(100) not null default 'valet',
  job_type varchar(50) not null,
  target_url text not null,
  task_description text not null,
  input_data jsonb not null default '{}',
  priority integer not null default 5,
  scheduled_at timestamptz,
  max_retries integer not null default 3,
  retry_count integer not null default 0,
  timeout_seconds integer not null default 300,
  status varchar(20) not null default 'pending',
  status_message text,
  started_at timestamptz,
  completed_at timestamptz,
  last_heartbeat timestamptz,
  worker_id varchar(100),
  manual_id uuid,
  engine_type varchar(20),
  result_data jsonb,
  result_summary text,
  error_code varchar(50),
  error_details jsonb,
  screenshot_urls jsonb default '[]',
  artifact_urls jsonb default '[]',
  metadata jsonb default '{}',
  tags jsonb default '[]',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  callback_url text,
  valet_task_id text,
  resume_ref jsonb,
  target_worker_id text,
  interaction_type text,
  interaction_data jsonb,
  paused_at timestamptz,
  execution_mode text default 'auto',
  browser_mode text default 'server',
  final_mode text,
  worker_affinity text default 'preferred',
  -- VALET 0017 adds it to a table that is GH's; GH itself never creates it.
  execution_attempt_id uuid,
  constraint gh_jobs_status_check
    check (status in ('pending', 'queued', 'running', 'paused', 'completed', 'failed', 'cancelled', 'expired')),
  constraint gh_jobs_priority_check check (priority between 1 and 10),
  -- Migration 003 means to drop this one, but names another constraint: it survives on both branches.
  constraint gh_jobs_type_check check (job_type in ('apply', 'scrape', 'fill_form', 'custom')),
  constraint gh_automation_jobs_execution_mode_check
    check (execution_mode in ('auto', 'ai_only', 'cookbook_only', 'hybrid', 'smart_apply', 'agent_apply')),
  constraint gh_automation_jobs_browser_mode_check check (browser_mode in ('server', 'operator')),
  constraint gh_automation_jobs_final_mode_check check (final_mode in ('cookbook', 'magnitude', 'hybrid', 'smart_apply', 'agent_apply')),
  constraint gh_automation_jobs_worker_affinity_check check (worker_affinity in ('strict', 'preferred', 'any'))
);

create index idx_gh_jobs_status_priority on gh_automation_jobs (status, priority, created_at) where status in ('pending', 'queued');
create index idx_gh_jobs_user_status on gh_automation_jobs (user_id, status, created_at desc);
create index idx_gh_jobs_heartbeat on gh_automation_jobs (last_heartbeat) where status = 'running';
create index idx_gh_jobs_scheduled on gh_automation_jobs (scheduled_at) where status = 'pending' and scheduled_at is not null;
create index idx_gh_jobs_manual on gh_automation_jobs (manual_id) where manual_id is not null;
create index idx_gh_jobs_target_worker on gh_automation_jobs (target_worker_id) where target_worker_id is not null;
create index idx_gh_jobs_valet_task on gh_automation_jobs (valet_task_id) where valet_task_id is not null;
create index idx_gh_jobs_paused on gh_automation_jobs (status) where status = 'paused';
create index idx_gh_jobs_execution_mode on gh_automation_jobs (execution_mode);

create table gh_job_events (
  id uuid primary key default gen_random_uuid(),
  job_id uuid not null references gh_automation_jobs (id) on delete cascade,
  event_type varchar(50) not null,
  from_status varchar(20),
  to_status varchar(20),
  message text,
  metadata jsonb default '{}',
  actor varchar(100) not null default 'system',
  created_at timestamptz not null default now()
);

create index idx_gh_job_events_job on gh_job_events (job_id, created_at);
create index idx_gh_job_events_job_latest on gh_job_events (job_id, created_at desc);
create index idx_gh_job_events_type on gh_job_events (job_id, event_type);
create index idx_gh_job_events_type_job on gh_job_events (event_type, job_id);

create table gh_worker_registry (
  worker_id text primary key,
  status text not null default 'active' check (status in ('active', 'draining', 'offline')),
  target_worker_id text,
  ec2_instance_id text,
  ec2_ip text,
  -- No ON DELETE action: a job row that a registry row points at cannot be deleted.
  current_job_id uuid references gh_automation_jobs (id),
  registered_at timestamptz not null default now(),
  last_heartbeat timestamptz not null default now(),
  jobs_completed integer not null default 0,
  jobs_failed integer not null default 0,
  metadata jsonb default '{}'
);

create index idx_gh_worker_registry_status on gh_worker_registry (status);
create index idx_gh_worker_registry_target on gh_worker_registry (target_worker_id);

create table gh_browser_sessions (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null,
  domain text not null,
  session_data text not null,
  encryption_key_id text not null,
  expires_at timestamptz,
  last_used_at timestamptz not null default now(),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (user_id, domain)
);

create function update_updated_at_column() returns trigger language plpgsql as $$
begin
  new.updated_at := now();
  return new;
end
$$;

create trigger update_gh_automation_jobs_updated_at
  before update on gh_automation_jobs for each row execute function update_updated_at_column();

create function gh_notify_new_job() returns trigger language plpgsql as $$
begin
  perform pg_notify(
    'gh_job_created',
    json_build_object('id', new.id, 'job_type', new.job_type, 'priority', new.priority, 'user_id', new.user_id)::text
  );
  return new;
end
$$;

create trigger gh_automation_jobs_notify
  after insert on gh_automation_jobs for each row execute function gh_notify_new_job();

create function gh_log_status_change() returns trigger language plpgsql as $$
begin
  if new.status is distinct from old.status then
    insert into gh_job_events (job_id, event_type, from_status, to_status, message, actor)
    values (
      new.id, 'status_change', old.status, new.status,
      format('Status changed from %s to %s', old.status, new.status),
      coalesce(new.worker_id, 'system')
    );
  end if;
  return new;
end
$$;

create trigger gh_automation_jobs_log_status
  after update of status on gh_automation_jobs for each row execute function gh_log_status_change();

-- Same rule as the SQL inside GH's poller; GH's code no longer calls it, outsiders may (ghosthands §3.3).
create function gh_pickup_next_job(p_worker_id text) returns setof gh_automation_jobs language sql as $$
  update gh_automation_jobs as job
  set status = 'queued', worker_id = p_worker_id, last_heartbeat = now(), updated_at = now()
  from (
    select due.id
    from gh_automation_jobs as due
    where due.status in ('pending', 'queued')
      and (due.scheduled_at is null or due.scheduled_at <= now())
      and (
        due.worker_affinity = 'any'
        or (due.worker_affinity = 'preferred' and (due.target_worker_id is null or due.target_worker_id = p_worker_id))
        or (due.worker_affinity = 'strict' and due.target_worker_id = p_worker_id)
      )
    order by case when due.target_worker_id = p_worker_id then 0 else 1 end, due.priority, due.created_at
    limit 1
    for update skip locked
  ) as next_job
  where job.id = next_job.id
  returning job.*
$$;
