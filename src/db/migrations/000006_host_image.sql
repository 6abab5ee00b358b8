-- What runs on a host, as its API says: pages and people ask for it.
alter table yardmaster.host_probe add column image_tag text;
