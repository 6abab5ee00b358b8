-- Commands with the truth about them, the secrets that a resume carries for a moment, and who did what.

create table yardmaster.command (
  command_id uuid primary key default gen_random_uuid(),
  job_id uuid not null references yardmaster.job on delete cascade,
  generation int not null,
  kind text not null check (kind in ('cancel', 'resume', 'retry', 'resolve')),
  actor text not null,
  source text not null,
  reason text,
  -- A resume's word to the worker, without any secret.
  resolution_type text check (resolution_type in ('manual', 'code_entry', 'credentials', 'skip')),
  requested_at timestamptz not null default now(),
  -- It was ended already when the command came.
  was_ended_before boolean not null default false,
  attempt_id uuid,
  route jsonb,
  means jsonb not null default '[]',
  outcome text,
  detail text not null default '',
  -- Null while it is under way; `unconfirmed` has an outcome and no end.
  ended_at timestamptz,
  touched_at timestamptz not null default now()
);
-- One open command per job and kind: a second cancel joins the first, a second resume is refused.
create unique index command_open_key on yardmaster.command (job_id, kind) where ended_at is null;
create index command_job_idx on yardmaster.command (job_id, requested_at desc, command_id);
create index command_open_idx on yardmaster.command (touched_at) where ended_at is null;

-- AES-256-GCM: one use, minutes to live.
create table yardmaster.secret (
  command_id uuid primary key references yardmaster.command on delete cascade,
  sealed bytea not null,
  expires_at timestamptz not null
);
create index secret_expiry_idx on yardmaster.secret (expires_at);

-- Append-only: the application's role has neither UPDATE nor DELETE on it (docs/operators.md).
create table yardmaster.audit (
  audit_id bigint generated always as identity primary key,
  at timestamptz not null default now(),
  actor text not null,
  source text not null,
  address text,
  act text not null,
  subject_kind text not null,
  subject text not null,
  route text,
  outcome text,
  detail jsonb not null default '{}'
);
create index audit_subject_idx on yardmaster.audit (subject, audit_id desc);
create index audit_actor_idx on yardmaster.audit (actor, audit_id desc);
create index audit_act_idx on yardmaster.audit (act, audit_id desc);
