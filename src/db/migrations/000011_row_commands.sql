-- Commands that a neighbour wrote into a public row: the sweep counts those of the last hour in every full pass.
create index command_row_idx on yardmaster.command (requested_at) where source = 'row';
