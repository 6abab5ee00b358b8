-- Sessions of browsers that were signed out before their time. The cookie alone says whose session it is, so a digest of it is all that is kept, and no longer
-- than the cookie would have been good.
create table yardmaster.ended_session (
  session_id text primary key,
  expires_at timestamptz not null
);
create index ended_session_expires_idx on yardmaster.ended_session (expires_at);
