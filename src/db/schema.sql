-- Made by "npm run schema:dump" from the migrations; never edited by hand.

create table yardmaster.assigner (
  is_one boolean not null default true,
  holder text not null default ''::text,
  leased_until timestamp with time zone not null default '-infinity'::timestamp with time zone,
  constraint assigner_is_one_check CHECK (is_one),
  constraint assigner_pkey PRIMARY KEY (is_one)
);

create table yardmaster.attempt (
  attempt_id uuid not null,
  job_id uuid not null,
  generation integer not null,
  number integer not null,
  worker_id text not null,
  host text,
  instance_id text,
  state text not null default 'assigned'::text,
  end_reason text,
  submission text not null default 'no'::text,
  error_code text,
  assigned_at timestamp with time zone not null default now(),
  claimed_at timestamp with time zone,
  ended_at timestamp with time zone,
  has_left_waiter boolean not null default false,
  erased_at timestamp with time zone,
  release_tries integer not null default 0,
  release_next_at timestamp with time zone,
  release_problem text,
  callback_refused_at timestamp with time zone,
  constraint attempt_check CHECK (((ended_at IS NOT NULL) = (state = 'ended'::text))),
  constraint attempt_state_check CHECK ((state = ANY (ARRAY['assigned'::text, 'running'::text, 'ended'::text]))),
  constraint attempt_submission_check CHECK ((submission = ANY (ARRAY['no'::text, 'maybe'::text, 'yes'::text]))),
  constraint attempt_job_id_fkey FOREIGN KEY (job_id) REFERENCES yardmaster.job(job_id) ON DELETE CASCADE,
  constraint attempt_pkey PRIMARY KEY (attempt_id),
  constraint attempt_job_id_number_key UNIQUE (job_id, number)
);
CREATE INDEX attempt_callback_refused_idx ON yardmaster.attempt USING btree (callback_refused_at) WHERE (callback_refused_at IS NOT NULL);
CREATE UNIQUE INDEX attempt_live_job_key ON yardmaster.attempt USING btree (job_id) WHERE (ended_at IS NULL);
CREATE UNIQUE INDEX attempt_live_worker_key ON yardmaster.attempt USING btree (worker_id) WHERE (ended_at IS NULL);
CREATE INDEX attempt_taint_idx ON yardmaster.attempt USING btree (worker_id, ended_at) WHERE (has_left_waiter OR (end_reason = 'not_claimed'::text));
CREATE INDEX attempt_unerased_idx ON yardmaster.attempt USING btree (ended_at) WHERE ((erased_at IS NULL) AND (ended_at IS NOT NULL));
CREATE INDEX attempt_waiter_idx ON yardmaster.attempt USING btree (job_id) WHERE has_left_waiter;
CREATE INDEX attempt_worker_idx ON yardmaster.attempt USING btree (worker_id);

create table yardmaster.audit (
  audit_id bigint not null generated always as identity,
  at timestamp with time zone not null default now(),
  actor text not null,
  source text not null,
  address text,
  act text not null,
  subject_kind text not null,
  subject text not null,
  route text,
  outcome text,
  detail jsonb not null default '{}'::jsonb,
  constraint audit_pkey PRIMARY KEY (audit_id)
);
CREATE INDEX audit_act_idx ON yardmaster.audit USING btree (act, audit_id DESC);
CREATE INDEX audit_actor_idx ON yardmaster.audit USING btree (actor, audit_id DESC);
CREATE INDEX audit_subject_idx ON yardmaster.audit USING btree (subject, audit_id DESC);

create table yardmaster.callback (
  job_id uuid not null,
  generation integer not null,
  seq integer not null,
  word text not null,
  is_final boolean not null,
  body jsonb not null,
  created_at timestamp with time zone not null default now(),
  next_try_at timestamp with time zone not null,
  give_up_at timestamp with time zone not null,
  tries integer not null default 0,
  leased_until timestamp with time zone,
  lease text,
  settled_at timestamp with time zone,
  settled_as text,
  last_error text,
  is_refused boolean not null default false,
  waits_until timestamp with time zone,
  constraint callback_settled_as_check CHECK ((settled_as = ANY (ARRAY['delivered'::text, 'superseded'::text, 'given_up'::text, 'refused'::text]))),
  constraint callback_job_id_fkey FOREIGN KEY (job_id) REFERENCES yardmaster.job(job_id) ON DELETE CASCADE,
  constraint callback_pkey PRIMARY KEY (job_id, generation, seq)
);
CREATE UNIQUE INDEX callback_one_final_key ON yardmaster.callback USING btree (job_id, generation) WHERE is_final;
CREATE INDEX callback_open_idx ON yardmaster.callback USING btree (next_try_at) WHERE (settled_at IS NULL);

create table yardmaster.command (
  command_id uuid not null default gen_random_uuid(),
  job_id uuid not null,
  generation integer not null,
  kind text not null,
  actor text not null,
  source text not null,
  reason text,
  resolution_type text,
  requested_at timestamp with time zone not null default now(),
  was_ended_before boolean not null default false,
  attempt_id uuid,
  route jsonb,
  means jsonb not null default '[]'::jsonb,
  outcome text,
  detail text not null default ''::text,
  ended_at timestamp with time zone,
  touched_at timestamp with time zone not null default now(),
  submitted boolean,
  constraint command_kind_check CHECK ((kind = ANY (ARRAY['cancel'::text, 'resume'::text, 'retry'::text, 'resolve'::text]))),
  constraint command_resolution_type_check CHECK ((resolution_type = ANY (ARRAY['manual'::text, 'code_entry'::text, 'credentials'::text, 'skip'::text]))),
  constraint command_job_id_fkey FOREIGN KEY (job_id) REFERENCES yardmaster.job(job_id) ON DELETE CASCADE,
  constraint command_pkey PRIMARY KEY (command_id)
);
CREATE INDEX command_job_idx ON yardmaster.command USING btree (job_id, requested_at DESC, command_id);
CREATE INDEX command_open_idx ON yardmaster.command USING btree (touched_at) WHERE (ended_at IS NULL);
CREATE UNIQUE INDEX command_open_key ON yardmaster.command USING btree (job_id, kind) WHERE (ended_at IS NULL);
CREATE INDEX command_row_idx ON yardmaster.command USING btree (requested_at) WHERE (source = 'row'::text);

create table yardmaster.deploy (
  deploy_id uuid not null,
  service text not null,
  destination text not null,
  kind text not null,
  version text not null,
  resolved_version text,
  strategy jsonb not null,
  is_dry_run boolean not null default false,
  reason text,
  actor text not null,
  source text not null,
  idempotency_key text,
  request_hash text,
  requested_at timestamp with time zone not null default now(),
  owner text,
  runner uuid,
  phase text not null default 'accepted'::text,
  phase_at timestamp with time zone not null default now(),
  direction text not null default 'forward'::text,
  checks jsonb not null default '[]'::jsonb,
  jobs jsonb not null default '[]'::jsonb,
  disagreements jsonb not null default '[]'::jsonb,
  interrupted_jobs jsonb not null default '[]'::jsonb,
  approved_by text,
  cancel_requested_by text,
  cancel_reason text,
  outcome text,
  detail text not null default ''::text,
  last_seq bigint not null default 0,
  touched_at timestamp with time zone not null default now(),
  ended_at timestamp with time zone,
  lock_at text,
  standstill jsonb,
  constraint deploy_check CHECK (((ended_at IS NOT NULL) = (outcome IS NOT NULL))),
  constraint deploy_direction_check CHECK ((direction = ANY (ARRAY['forward'::text, 'back'::text]))),
  constraint deploy_kind_check CHECK ((kind = ANY (ARRAY['deploy'::text, 'rollback'::text]))),
  constraint deploy_outcome_check CHECK ((outcome = ANY (ARRAY['succeeded'::text, 'planned'::text, 'refused'::text, 'rejected'::text, 'aborted'::text, 'cancelled'::text, 'rolled_back'::text, 'broken'::text]))),
  constraint deploy_phase_check CHECK ((phase = ANY (ARRAY['accepted'::text, 'preflight'::text, 'approval'::text, 'hold'::text, 'drain'::text, 'lock'::text, 'stop'::text, 'deploy'::text, 'verify'::text, 'soak'::text, 'compensate'::text, 'release'::text, 'done'::text]))),
  constraint deploy_pkey PRIMARY KEY (deploy_id)
);
CREATE UNIQUE INDEX deploy_caller_idempotency_key_key ON yardmaster.deploy USING btree (idempotency_key, actor) WHERE (idempotency_key IS NOT NULL);
CREATE INDEX deploy_destination_idx ON yardmaster.deploy USING btree (destination, requested_at DESC, deploy_id DESC);
CREATE INDEX deploy_ended_idx ON yardmaster.deploy USING btree (ended_at) WHERE (ended_at IS NOT NULL);
CREATE UNIQUE INDEX deploy_live_key ON yardmaster.deploy USING btree (service, destination) WHERE (ended_at IS NULL);
CREATE INDEX deploy_requested_idx ON yardmaster.deploy USING btree (requested_at DESC, deploy_id DESC);

create table yardmaster.deploy_host (
  deploy_id uuid not null,
  host text not null,
  roles text[] not null,
  batch integer not null,
  state text not null default 'waiting'::text,
  version_before text,
  version_now text,
  detail text not null default ''::text,
  changed_at timestamp with time zone not null default now(),
  constraint deploy_host_state_check CHECK ((state = ANY (ARRAY['waiting'::text, 'held'::text, 'stopped'::text, 'deployed'::text, 'verified'::text, 'put_back'::text, 'failed'::text]))),
  constraint deploy_host_deploy_id_fkey FOREIGN KEY (deploy_id) REFERENCES yardmaster.deploy(deploy_id) ON DELETE CASCADE,
  constraint deploy_host_pkey PRIMARY KEY (deploy_id, host)
);

create table yardmaster.deploy_log (
  deploy_id uuid not null,
  seq bigint not null,
  at timestamp with time zone not null default now(),
  stream text not null,
  line text not null,
  constraint deploy_log_stream_check CHECK ((stream = ANY (ARRAY['stdout'::text, 'stderr'::text, 'yardmaster'::text]))),
  constraint deploy_log_deploy_id_fkey FOREIGN KEY (deploy_id) REFERENCES yardmaster.deploy(deploy_id) ON DELETE CASCADE,
  constraint deploy_log_pkey PRIMARY KEY (deploy_id, seq)
);
CREATE INDEX deploy_log_age_idx ON yardmaster.deploy_log USING btree (at);

create table yardmaster.destination (
  service text not null,
  destination text not null,
  hosts jsonb not null,
  lock jsonb,
  problem text,
  seen_at timestamp with time zone not null default now(),
  constraint destination_pkey PRIMARY KEY (destination)
);

create table yardmaster.ended_session (
  session_id text not null,
  expires_at timestamp with time zone not null,
  constraint ended_session_pkey PRIMARY KEY (session_id)
);
CREATE INDEX ended_session_expires_idx ON yardmaster.ended_session USING btree (expires_at);

create table yardmaster.host_hold (
  host text not null,
  reason text not null,
  actor text not null,
  held_at timestamp with time zone not null default now(),
  expires_at timestamp with time zone,
  holder text not null default 'person'::text,
  constraint host_hold_pkey PRIMARY KEY (host, holder)
);

create table yardmaster.host_probe (
  host text not null,
  probed_at timestamp with time zone not null,
  is_api_up boolean not null,
  is_worker_up boolean not null,
  worker_id text,
  dispatch_mode text,
  is_running boolean,
  is_draining boolean,
  active_jobs integer,
  process_started_at timestamp with time zone,
  freed_at timestamp with time zone,
  problem text,
  said_since timestamp with time zone,
  image_tag text,
  constraint host_probe_pkey PRIMARY KEY (host)
);
CREATE INDEX host_probe_worker_idx ON yardmaster.host_probe USING btree (worker_id);

create table yardmaster.job (
  job_id uuid not null,
  generation integer not null default 1,
  state text not null default 'accepted'::text,
  reason text not null default 'accepted'::text,
  detail text not null default ''::text,
  state_at timestamp with time zone not null default now(),
  owner text,
  user_id uuid not null,
  valet_task_id text,
  idempotency_key text,
  request_hash text not null,
  accepted_by text not null,
  request_id text not null,
  accepted_at timestamp with time zone not null default now(),
  priority integer not null default 5,
  wanted_worker text,
  affinity text not null default 'any'::text,
  timeout_seconds integer not null,
  attempts_max integer not null default 3,
  attempts integer not null default 0,
  attempt_id uuid,
  not_before timestamp with time zone,
  deadline_at timestamp with time zone,
  job_deadline_at timestamp with time zone not null,
  submission text not null default 'no'::text,
  human_kind text,
  is_rerun_by_gh boolean not null default false,
  is_owner_in_doubt boolean not null default false,
  cancel_requested_at timestamp with time zone,
  error_code text,
  error_message text,
  callback_url text,
  callback_seq integer not null default 0,
  ended_at timestamp with time zone,
  touched_at timestamp with time zone not null default now(),
  has_task boolean not null default true,
  constraint job_affinity_check CHECK ((affinity = ANY (ARRAY['strict'::text, 'preferred'::text, 'any'::text]))),
  constraint job_attempts_max_check CHECK (((attempts_max >= 1) AND (attempts_max <= 10))),
  constraint job_check CHECK (((ended_at IS NOT NULL) = (state = ANY (ARRAY['succeeded'::text, 'failed'::text, 'cancelled'::text, 'expired'::text])))),
  constraint job_human_kind_check CHECK ((human_kind = ANY (ARRAY['blocker'::text, 'review'::text]))),
  constraint job_priority_check CHECK (((priority >= 1) AND (priority <= 10))),
  constraint job_state_check CHECK ((state = ANY (ARRAY['accepted'::text, 'waiting'::text, 'assigned'::text, 'running'::text, 'waiting_human'::text, 'uncertain'::text, 'succeeded'::text, 'failed'::text, 'cancelled'::text, 'expired'::text]))),
  constraint job_submission_check CHECK ((submission = ANY (ARRAY['no'::text, 'maybe'::text, 'yes'::text]))),
  constraint job_pkey PRIMARY KEY (job_id)
);
CREATE INDEX job_accepted_idx ON yardmaster.job USING btree (accepted_at DESC, job_id DESC);
CREATE INDEX job_attention_idx ON yardmaster.job USING btree (deadline_at, job_id) WHERE (state = ANY (ARRAY['waiting_human'::text, 'uncertain'::text]));
CREATE INDEX job_back_off_idx ON yardmaster.job USING btree (not_before) WHERE ((state = 'waiting'::text) AND (not_before IS NOT NULL));
CREATE UNIQUE INDEX job_caller_idempotency_key_key ON yardmaster.job USING btree (idempotency_key, accepted_by) WHERE (idempotency_key IS NOT NULL);
CREATE INDEX job_ended_idx ON yardmaster.job USING btree (ended_at) WHERE (ended_at IS NOT NULL);
CREATE INDEX job_live_idx ON yardmaster.job USING btree (state, touched_at) WHERE (ended_at IS NULL);
CREATE INDEX job_live_user_idx ON yardmaster.job USING btree (user_id) WHERE (state = ANY (ARRAY['assigned'::text, 'running'::text, 'waiting_human'::text]));
CREATE UNIQUE INDEX job_one_application_key ON yardmaster.job USING btree (valet_task_id) WHERE (has_task AND (valet_task_id IS NOT NULL) AND ((ended_at IS NULL) OR (state = 'succeeded'::text) OR (submission <> 'no'::text)));
CREATE INDEX job_state_accepted_idx ON yardmaster.job USING btree (state, accepted_at DESC, job_id DESC);
CREATE INDEX job_task_idx ON yardmaster.job USING btree (valet_task_id, accepted_at DESC) WHERE (valet_task_id IS NOT NULL);
CREATE INDEX job_turn_at_worker_idx ON yardmaster.job USING btree (yardmaster.machine_name(wanted_worker), priority, user_id, accepted_at, job_id) WHERE ((state = ANY (ARRAY['accepted'::text, 'waiting'::text])) AND (cancel_requested_at IS NULL) AND (not_before IS NULL) AND (affinity <> 'any'::text) AND (wanted_worker IS NOT NULL));
CREATE INDEX job_turn_idx ON yardmaster.job USING btree (priority, accepted_at, job_id) WHERE ((state = ANY (ARRAY['accepted'::text, 'waiting'::text])) AND (cancel_requested_at IS NULL) AND (not_before IS NULL) AND ((affinity <> 'strict'::text) OR (wanted_worker IS NULL)));
CREATE INDEX job_turn_of_user_idx ON yardmaster.job USING btree (priority, user_id, accepted_at, job_id) WHERE ((state = ANY (ARRAY['accepted'::text, 'waiting'::text])) AND (cancel_requested_at IS NULL) AND (not_before IS NULL) AND ((affinity <> 'strict'::text) OR (wanted_worker IS NULL)));
CREATE INDEX job_user_accepted_idx ON yardmaster.job USING btree (user_id, accepted_at DESC, job_id DESC);

create table yardmaster.job_transition (
  job_id uuid not null,
  seq integer not null generated always as identity,
  generation integer not null,
  at timestamp with time zone not null default now(),
  state text not null,
  reason text not null,
  detail text not null default ''::text,
  attempt_id uuid,
  worker_id text,
  constraint job_transition_job_id_fkey FOREIGN KEY (job_id) REFERENCES yardmaster.job(job_id) ON DELETE CASCADE,
  constraint job_transition_pkey PRIMARY KEY (job_id, seq)
);
CREATE UNIQUE INDEX job_transition_one_end_key ON yardmaster.job_transition USING btree (job_id, generation) WHERE (state = ANY (ARRAY['succeeded'::text, 'failed'::text, 'cancelled'::text, 'expired'::text]));

create table yardmaster.migration (
  id integer not null default nextval('yardmaster.migration_id_seq'::regclass),
  name character varying(255) not null,
  run_on timestamp without time zone not null,
  constraint migration_pkey PRIMARY KEY (id)
);

create table yardmaster.received_callback (
  received_id bigint not null generated always as identity,
  attempt_id uuid not null,
  received_at timestamp with time zone not null default now(),
  word text not null,
  worker_id text,
  error_code text,
  effect text not null,
  submitted boolean,
  constraint received_callback_pkey PRIMARY KEY (received_id)
);
CREATE INDEX received_callback_age_idx ON yardmaster.received_callback USING btree (received_at);
CREATE INDEX received_callback_attempt_idx ON yardmaster.received_callback USING btree (attempt_id, received_at);

create table yardmaster.recycle_command (
  only_one boolean not null default true,
  state text not null,
  detail text not null,
  asked_at timestamp with time zone not null default now(),
  proven_at timestamp with time zone,
  constraint recycle_command_only_one_check CHECK (only_one),
  constraint recycle_command_pkey PRIMARY KEY (only_one)
);

create table yardmaster.secret (
  command_id uuid not null,
  sealed bytea not null,
  expires_at timestamp with time zone not null,
  constraint secret_command_id_fkey FOREIGN KEY (command_id) REFERENCES yardmaster.command(command_id) ON DELETE CASCADE,
  constraint secret_pkey PRIMARY KEY (command_id)
);
CREATE INDEX secret_expiry_idx ON yardmaster.secret USING btree (expires_at);

create table yardmaster.sweep_report (
  sweep_id bigint not null generated always as identity,
  started_at timestamp with time zone not null,
  ended_at timestamp with time zone not null default now(),
  counts jsonb not null,
  items jsonb not null,
  kind text not null default 'full'::text,
  is_dry_run boolean not null default false,
  constraint sweep_report_kind_check CHECK ((kind = ANY (ARRAY['light'::text, 'full'::text]))),
  constraint sweep_report_pkey PRIMARY KEY (sweep_id)
);
CREATE INDEX sweep_report_age_idx ON yardmaster.sweep_report USING btree (started_at);
CREATE INDEX sweep_report_full_idx ON yardmaster.sweep_report USING btree (started_at) WHERE ((kind = 'full'::text) AND (NOT is_dry_run));

CREATE OR REPLACE FUNCTION yardmaster.machine_name(name text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
  select case
    when translate(name, '0123456789.', '') = '' and name !~ '(?:^|[.])0[0-9]' then name
    when left(name, 2) = 'i-' and translate(name, '0123456789abcdef', '') = 'i-' then name
    when name ~ '^0*(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])(?:\.0*(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])){3}$'
      then regexp_replace(name, '(^|[.])0+(?=[0-9])', '\1', 'g')
    when position(':' in name) > 0 and translate(name, 'ABCDEF', 'abcdef')
      ~ '^(?:(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}|(?:[0-9a-f]{1,4}:){6}0*(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])(?:\.0*(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])){3}|(?!:*[0-9a-f]{1,4}(?::+[0-9a-f]{1,4}){7})(?!:*[0-9a-f]{1,4}(?::+[0-9a-f]{1,4}){5}:+0*(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])(?:\.0*(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])){3}$)(?:[0-9a-f]{1,4}(?::[0-9a-f]{1,4})*)?::(?:(?:[0-9a-f]{1,4}:)*(?:[0-9a-f]{1,4}|0*(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])(?:\.0*(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])){3}))?)$'
      then regexp_replace(
        host(regexp_replace(translate(name, 'ABCDEF', 'abcdef'), '(^|[.:])0+(?=[0-9a-f])', '\1', 'g')::inet), '^::ffff:(?=.*[.])', '')
    when name ~ '^(?:[iI]-[0-9A-Fa-f]+|[0-9A-Za-z_-]+(?:[.][0-9A-Za-z_-]+)+)$' then translate(name, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz')
    else name
  end
$function$
;

