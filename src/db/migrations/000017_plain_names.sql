-- Nearly all names are spelled as they should be, and a statement over a fleet asks for each of them several times: the first two lines let those through
-- without the long patterns, which took half of the time of the page of 1,000 workers. It answers what it answered, so that its indexes stay.
create or replace function yardmaster.machine_name(name text) returns text language sql immutable parallel safe as $$
  select case
    when translate(name, '0123456789.', '') = '' and name !~ '(?:^|[.])0[0-9]' then name
    when left(name, 2) = 'i-' and translate(name, '0123456789abcdef', '') = 'i-' then name
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
