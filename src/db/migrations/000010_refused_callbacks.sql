-- Of the last try: the receiver would not take it, so that it gives way at once to a later one that says more.
alter table yardmaster.callback add column is_refused boolean not null default false;
