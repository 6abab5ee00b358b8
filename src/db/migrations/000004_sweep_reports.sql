-- Which rules a pass applied, and whether it only looked: the age of the last full pass decides what the next one is.

alter table yardmaster.sweep_report
  add column kind text not null default 'full' check (kind in ('light', 'full')),
  add column is_dry_run boolean not null default false;
create index sweep_report_full_idx on yardmaster.sweep_report (started_at) where kind = 'full' and not is_dry_run;
