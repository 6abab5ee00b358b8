-- The record of jobs, attempts and callbacks: state lives in rows, so that any workflow can be started over them and go on.
-- The schema itself is made by the migrator, whose table lives in it.

create table yardmaster.job (
  job_id uuid primary key,
  generation int not null default 1,
  state text not null default 'accepted' check (state in
    ('accepted', 'waiting', 'assigned', 'running', 'waiting_human', 'uncertain', 'succeeded', 'failed', 'cancelled', 'expired')),
  reason text not null default 'accepted',
  detail text not null default '',
  state_at timestamptz not null default now(),
  -- firstExecutionRunId of the workflow that owns the job: the fence of every write of ours.
  owner text,
  user_id uuid not null,
  valet_task_id text,
  idempotency_key text,
  request_hash text not null,
  accepted_by text not null,
  request_id text not null,
  accepted_at timestamptz not null default now(),
  priority int not null default 5 check (priority between 1 and 10),
  wanted_worker text,
  affinity text not null default 'any' check (affinity in ('strict', 'preferred', 'any')),
  timeout_seconds int not null,
  attempts_max int not null default 3 check (attempts_max between 1 and 10),
  -- Attempts are numbered through all generations.
  attempts int not null default 0,
  attempt_id uuid,
  -- Back-off: not assigned before.
  not_before timestamptz,
  -- When the present state needs a look even without news.
  deadline_at timestamptz,
  job_deadline_at timestamptz not null,
  submission text not null default 'no' check (submission in ('no', 'maybe', 'yes')),
  human_kind text check (human_kind in ('blocker', 'review')),
  is_rerun_by_gh boolean not null default false,
  is_owner_in_doubt boolean not null default false,
  cancel_requested_at timestamptz,
  error_code text,
  error_message text,
  callback_url text,
  callback_seq int not null default 0,
  ended_at timestamptz,
  touched_at timestamptz not null default now(),
  check ((ended_at is not null) = (state in ('succeeded', 'failed', 'cancelled', 'expired')))
);

-- One job per idempotency key; without a key, one live job per task of the product.
create unique index job_idempotency_key_key on yardmaster.job (idempotency_key) where idempotency_key is not null;
create unique index job_live_valet_task_id_key on yardmaster.job (valet_task_id) where idempotency_key is null and ended_at is null;
-- Assigning reads the waiting jobs in this order, and the live jobs of a user; both stay small however many jobs have ended.
create index job_waiting_idx on yardmaster.job (priority, accepted_at) where state = 'waiting';
create index job_live_idx on yardmaster.job (state, touched_at) where ended_at is null;
create index job_live_user_idx on yardmaster.job (user_id) where state in ('assigned', 'running', 'waiting_human');
create index job_attention_idx on yardmaster.job (deadline_at, job_id) where state in ('waiting_human', 'uncertain');
-- Lists are paged by (accepted_at, job_id), newest first.
create index job_accepted_idx on yardmaster.job (accepted_at desc, job_id desc);
create index job_user_accepted_idx on yardmaster.job (user_id, accepted_at desc, job_id desc);
create index job_state_accepted_idx on yardmaster.job (state, accepted_at desc, job_id desc);
create index job_task_idx on yardmaster.job (valet_task_id, accepted_at desc) where valet_task_id is not null;
create index job_ended_idx on yardmaster.job (ended_at) where ended_at is not null;

-- The timeline. A generation has one terminal row at most: promise 1 as a constraint.
create table yardmaster.job_transition (
  job_id uuid not null references yardmaster.job on delete cascade,
  seq int generated always as identity,
  generation int not null,
  at timestamptz not null default now(),
  state text not null,
  reason text not null,
  detail text not null default '',
  attempt_id uuid,
  worker_id text,
  primary key (job_id, seq)
);
create unique index job_transition_one_end_key on yardmaster.job_transition (job_id, generation)
  where state in ('succeeded', 'failed', 'cancelled', 'expired');

create table yardmaster.attempt (
  attempt_id uuid primary key,
  job_id uuid not null references yardmaster.job on delete cascade,
  generation int not null,
  number int not null,
  worker_id text not null,
  host text,
  instance_id text,
  state text not null default 'assigned' check (state in ('assigned', 'running', 'ended')),
  end_reason text,
  submission text not null default 'no' check (submission in ('no', 'maybe', 'yes')),
  error_code text,
  assigned_at timestamptz not null default now(),
  claimed_at timestamptz,
  ended_at timestamptz,
  -- A human-wait that this attempt left behind in its process (ghosthands §6.3): the worker is tainted until it restarts.
  has_left_waiter boolean not null default false,
  -- The copy of the personal data in the attempt row is gone.
  erased_at timestamptz,
  unique (job_id, number),
  check ((ended_at is not null) = (state = 'ended'))
);
-- At most one attempt of a job runs at a time, and a worker has one job in flight: promise 1 as constraints.
create unique index attempt_live_job_key on yardmaster.attempt (job_id) where ended_at is null;
create unique index attempt_live_worker_key on yardmaster.attempt (worker_id) where ended_at is null;
create index attempt_worker_idx on yardmaster.attempt (worker_id);
create index attempt_taint_idx on yardmaster.attempt (worker_id, ended_at) where has_left_waiter or end_reason = 'not_claimed';
create index attempt_unerased_idx on yardmaster.attempt (ended_at) where erased_at is null and ended_at is not null;

-- Callbacks to the product: written with the state change, delivered in order under a lease, at least once.
create table yardmaster.callback (
  job_id uuid not null references yardmaster.job on delete cascade,
  generation int not null,
  seq int not null,
  word text not null,
  is_final boolean not null,
  body jsonb not null,
  created_at timestamptz not null default now(),
  next_try_at timestamptz not null,
  give_up_at timestamptz not null,
  tries int not null default 0,
  leased_until timestamptz,
  lease text,
  settled_at timestamptz,
  settled_as text check (settled_as in ('delivered', 'superseded', 'given_up', 'refused')),
  last_error text,
  primary key (job_id, generation, seq)
);
create unique index callback_one_final_key on yardmaster.callback (job_id, generation) where is_final;
create index callback_open_idx on yardmaster.callback (next_try_at) where settled_at is null;

-- What GH told us, as it came: hints that are recorded even when they have no effect. No personal data.
create table yardmaster.received_callback (
  received_id bigint generated always as identity primary key,
  attempt_id uuid not null,
  received_at timestamptz not null default now(),
  word text not null,
  worker_id text,
  error_code text,
  effect text not null
);
create index received_callback_attempt_idx on yardmaster.received_callback (attempt_id, received_at);
create index received_callback_age_idx on yardmaster.received_callback (received_at);

-- No new jobs for a host; '*' is the pause of the whole fleet.
create table yardmaster.host_hold (
  host text primary key,
  reason text not null,
  actor text not null,
  held_at timestamptz not null default now(),
  expires_at timestamptz
);

-- What a host's ports said last.
create table yardmaster.host_probe (
  host text primary key,
  probed_at timestamptz not null,
  is_api_up boolean not null,
  is_worker_up boolean not null,
  worker_id text,
  dispatch_mode text,
  is_running boolean,
  is_draining boolean,
  active_jobs int,
  process_started_at timestamptz,
  -- The end of an attempt frees the worker at once; a probe that was under way meanwhile must not undo that.
  freed_at timestamptz,
  problem text
);
create index host_probe_worker_idx on yardmaster.host_probe (worker_id);

-- The last reports of the sweep.
create table yardmaster.sweep_report (
  sweep_id bigint generated always as identity primary key,
  started_at timestamptz not null,
  ended_at timestamptz not null default now(),
  counts jsonb not null,
  items jsonb not null
);
create index sweep_report_age_idx on yardmaster.sweep_report (started_at);
