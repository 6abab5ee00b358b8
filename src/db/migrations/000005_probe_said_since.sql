-- Since when a host's worker port has said the same at every probe: the earliest moment at which a process that it no longer shows was gone.

alter table yardmaster.host_probe add column said_since timestamptz;
