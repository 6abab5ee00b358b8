-- What a resolve decided: without it nobody could repeat the message to a workflow that lost it.

alter table yardmaster.command add column submitted boolean;
