-- One address in several spellings is one machine: src/domain/machine-name.ts for what stands in tables of our neighbours.
-- A single expression, so that Postgres puts it into the statement instead of calling it.
create function yardmaster.machine_name(name text) returns text language sql immutable parallel safe as $$
  select case
    when name ~ '^0*(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])(?:\.0*(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])){3}$'
      then regexp_replace(name, '(^|[.])0+(?=[0-9])', '\1', 'g')
    when position(':' in name) > 0 and translate(name, 'ABCDEF', 'abcdef')
      ~ '^(?:(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}|(?:[0-9a-f]{1,4}:){6}0*(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])(?:\.0*(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])){3}|(?!:*[0-9a-f]{1,4}(?::+[0-9a-f]{1,4}){7})(?!:*[0-9a-f]{1,4}(?::+[0-9a-f]{1,4}){5}:+0*(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])(?:\.0*(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])){3}$)(?:[0-9a-f]{1,4}(?::[0-9a-f]{1,4})*)?::(?:(?:[0-9a-f]{1,4}:)*(?:[0-9a-f]{1,4}|0*(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])(?:\.0*(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])){3}))?)$'
      then regexp_replace(
        host(regexp_replace(translate(name, 'ABCDEF', 'abcdef'), '(^|[.:])0+(?=[0-9a-f])', '\1', 'g')::inet), '^::ffff:(?=.*[.])', '')
    when name ~ '^(?:[iI]-[0-9A-Fa-f]+|[0-9A-Za-z_-]+(?:[.][0-9A-Za-z_-]+)+)$' then translate(name, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz')
    else name
  end
$$;

-- What was held and seen under other spellings.
insert into yardmaster.host_hold (host, holder, reason, actor, held_at, expires_at)
select distinct on (yardmaster.machine_name(host), holder) yardmaster.machine_name(host), holder, reason, actor, held_at, expires_at
from yardmaster.host_hold where host <> yardmaster.machine_name(host)
order by yardmaster.machine_name(host), holder, expires_at desc nulls first
on conflict (host, holder) do update set
  expires_at = case when excluded.expires_at is not null and yardmaster.host_hold.expires_at is not null
    then greatest(excluded.expires_at, yardmaster.host_hold.expires_at) end;
delete from yardmaster.host_hold where host <> yardmaster.machine_name(host);
delete from yardmaster.host_probe where host <> yardmaster.machine_name(host);
update yardmaster.attempt set host = yardmaster.machine_name(host), instance_id = yardmaster.machine_name(instance_id)
where ended_at is null and (host <> yardmaster.machine_name(host) or instance_id <> yardmaster.machine_name(instance_id));
