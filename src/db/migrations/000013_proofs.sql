-- What proves, and what must not be told twice: the word of a callback on the submission, refused callbacks, how long a person is waited for, and that a task of the product is one application.
alter table yardmaster.received_callback add column submitted boolean;
alter table yardmaster.attempt add column callback_refused_at timestamptz;
create index attempt_callback_refused_idx on yardmaster.attempt (callback_refused_at) where callback_refused_at is not null;
alter table yardmaster.callback add column waits_until timestamptz;

-- False: a job from the time when a task could have several, beside a newer one that keeps the task.
alter table yardmaster.job add column has_task boolean not null default true;
update yardmaster.job j set has_task = false
where valet_task_id is not null and exists (
  select from yardmaster.job n
  where n.valet_task_id = j.valet_task_id and (n.accepted_at, n.job_id) > (j.accepted_at, j.job_id)
    and (n.ended_at is null or n.state = 'succeeded' or n.submission <> 'no'));
create unique index job_one_application_key on yardmaster.job (valet_task_id)
  where has_task and valet_task_id is not null and (ended_at is null or state = 'succeeded' or submission <> 'no');
drop index yardmaster.job_live_valet_task_id_key;
