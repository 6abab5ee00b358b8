-- GH main as databases that live have it: the columns that the code writes and no migration of main creates, added by hand (valet §4.1).
\ir main.sql

alter table gh_automation_jobs
  add column llm_cost_cents integer default 0,
  add column action_count integer default 0,
  add column total_tokens bigint default 0;
