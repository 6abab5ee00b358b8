-- One assigner at a time: whoever renews its lease in time. There is one row.
create table yardmaster.assigner (
  is_one boolean primary key default true check (is_one),
  holder text not null default '',
  leased_until timestamptz not null default '-infinity'
);
insert into yardmaster.assigner default values;

-- The next jobs for whoever is idle, and those of each user: assigning reads no more of them than it has workers. A job in its back-off is in none of
-- them; the assigner takes the back-off away when it is over.
create index job_turn_idx on yardmaster.job (priority, accepted_at, job_id)
  where state in ('accepted', 'waiting') and cancel_requested_at is null and not_before is null and (affinity <> 'strict' or wanted_worker is null);
create index job_turn_of_user_idx on yardmaster.job (priority, user_id, accepted_at, job_id)
  where state in ('accepted', 'waiting') and cancel_requested_at is null and not_before is null and (affinity <> 'strict' or wanted_worker is null);
create index job_turn_at_worker_idx on yardmaster.job (yardmaster.machine_name(wanted_worker), priority, user_id, accepted_at, job_id)
  where state in ('accepted', 'waiting') and cancel_requested_at is null and not_before is null and affinity <> 'any' and wanted_worker is not null;
create index job_back_off_idx on yardmaster.job (not_before) where state = 'waiting' and not_before is not null;
-- At the end, since it locks out every reader until the commit.
drop index yardmaster.job_waiting_idx;
