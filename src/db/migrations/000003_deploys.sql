-- Deploys with their hosts and their log, what the deployer last saw of each destination, and holds by more than one holder.

create table yardmaster.deploy (
  deploy_id uuid primary key,
  service text not null,
  destination text not null,
  kind text not null check (kind in ('deploy', 'rollback')),
  -- As asked for, and the immutable tag that it means.
  version text not null,
  resolved_version text,
  strategy jsonb not null,
  is_dry_run boolean not null default false,
  reason text,
  actor text not null,
  source text not null,
  idempotency_key text,
  request_hash text,
  requested_at timestamptz not null default now(),
  -- firstExecutionRunId of its workflow.
  owner text,
  -- Token of the activity that runs a step now: what an older one still writes hits nothing.
  runner uuid,
  phase text not null default 'accepted' check (phase in
    ('accepted', 'preflight', 'approval', 'hold', 'drain', 'lock', 'stop', 'deploy', 'verify', 'soak', 'compensate', 'release', 'done')),
  phase_at timestamptz not null default now(),
  direction text not null default 'forward' check (direction in ('forward', 'back')),
  checks jsonb not null default '[]',
  jobs jsonb not null default '[]',
  disagreements jsonb not null default '[]',
  interrupted_jobs jsonb not null default '[]',
  approved_by text,
  cancel_requested_by text,
  cancel_reason text,
  outcome text check (outcome in ('succeeded', 'planned', 'refused', 'rejected', 'aborted', 'cancelled', 'rolled_back', 'broken')),
  detail text not null default '',
  last_seq bigint not null default 0,
  touched_at timestamptz not null default now(),
  ended_at timestamptz,
  check ((ended_at is not null) = (outcome is not null))
);
-- One at a time, whoever starts it.
create unique index deploy_live_key on yardmaster.deploy (service, destination) where ended_at is null;
create unique index deploy_idempotency_key_key on yardmaster.deploy (idempotency_key) where idempotency_key is not null;
create index deploy_requested_idx on yardmaster.deploy (requested_at desc, deploy_id desc);
create index deploy_destination_idx on yardmaster.deploy (destination, requested_at desc, deploy_id desc);
create index deploy_ended_idx on yardmaster.deploy (ended_at) where ended_at is not null;

create table yardmaster.deploy_host (
  deploy_id uuid not null references yardmaster.deploy on delete cascade,
  host text not null,
  roles text[] not null,
  batch int not null,
  state text not null default 'waiting' check (state in ('waiting', 'held', 'stopped', 'deployed', 'verified', 'put_back', 'failed')),
  version_before text,
  version_now text,
  detail text not null default '',
  changed_at timestamptz not null default now(),
  primary key (deploy_id, host)
);

create table yardmaster.deploy_log (
  deploy_id uuid not null references yardmaster.deploy on delete cascade,
  seq bigint not null,
  at timestamptz not null default now(),
  stream text not null check (stream in ('stdout', 'stderr', 'yardmaster')),
  -- Redacted before it came here.
  line text not null,
  primary key (deploy_id, seq)
);
create index deploy_log_age_idx on yardmaster.deploy_log (at);

create table yardmaster.destination (
  service text not null,
  destination text not null,
  hosts jsonb not null,
  lock jsonb,
  problem text,
  seen_at timestamptz not null default now(),
  primary key (destination)
);

-- A deploy holds its hosts beside a person's hold, and releases its own alone.
alter table yardmaster.host_hold add column holder text not null default 'person';
alter table yardmaster.host_hold drop constraint host_hold_pkey;
alter table yardmaster.host_hold add primary key (host, holder);
