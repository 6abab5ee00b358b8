-- A key of a request is its caller's own: another caller's is another request, whatever it says. Who accepted, or asked, is on every row since the first.
create unique index job_caller_idempotency_key_key on yardmaster.job (idempotency_key, accepted_by) where idempotency_key is not null;
drop index yardmaster.job_idempotency_key_key;
create unique index deploy_caller_idempotency_key_key on yardmaster.deploy (idempotency_key, actor) where idempotency_key is not null;
drop index yardmaster.deploy_idempotency_key_key;
