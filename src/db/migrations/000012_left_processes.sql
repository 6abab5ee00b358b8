-- A process that an attempt left behind is replaced by itself: how often that was tried, when it is tried again, and why it has not helped yet.
alter table yardmaster.attempt
  add column release_tries int not null default 0,
  add column release_next_at timestamptz,
  add column release_problem text;
create index attempt_waiter_idx on yardmaster.attempt (job_id) where has_left_waiter;

-- What a deployer says of its recycle command; one row.
create table yardmaster.recycle_command (
  only_one boolean primary key default true check (only_one),
  state text not null,
  detail text not null,
  asked_at timestamptz not null default now(),
  -- A recycle was proven by another process.
  proven_at timestamptz
);
