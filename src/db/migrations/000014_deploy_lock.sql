-- When the lock of a deploy was taken, in Kamal's own words: with its message it tells our lock from one that somebody took anew.
alter table yardmaster.deploy add column lock_at text;
-- The lock is not ours any more: since when the deploy stands still, and who has it.
alter table yardmaster.deploy add column standstill jsonb;
