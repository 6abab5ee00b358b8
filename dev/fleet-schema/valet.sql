-- VALET's `sandboxes`: its rows for the hosts of the fleet (valet §4.2). The only table of VALET's own that we read. Goes beside any variant of
-- GH's tables. A public IP is not unique here, and an address may stay on a row after the machine has lost it.

create type sandbox_environment as enum ('dev', 'staging', 'prod');
create type sandbox_status as enum ('provisioning', 'active', 'stopping', 'stopped', 'terminated', 'unhealthy');
create type sandbox_health_status as enum ('healthy', 'degraded', 'unhealthy');
create type browser_engine as enum ('chromium', 'adspower');
create type ec2_status as enum ('pending', 'running', 'stopping', 'stopped', 'terminated');

create table sandboxes (
  id uuid primary key default gen_random_uuid(),
  name varchar(255) not null,
  environment sandbox_environment not null,
  instance_id varchar(50) not null unique,
  instance_type varchar(50) not null,
  public_ip varchar(45),
  private_ip varchar(45),
  status sandbox_status not null default 'provisioning',
  health_status sandbox_health_status not null default 'unhealthy',
  last_health_check_at timestamptz,
  capacity integer not null default 5,
  current_load integer not null default 0,
  ssh_key_name varchar(255),
  novnc_url text,
  adspower_version varchar(50),
  browser_engine browser_engine not null default 'adspower',
  browser_config jsonb default '{}',
  tags jsonb default '{}',
  ec2_status ec2_status default 'stopped',
  last_started_at timestamptz,
  last_stopped_at timestamptz,
  auto_stop_enabled boolean not null default false,
  auto_stop_owner varchar(16) not null default 'none',
  idle_minutes_before_stop integer not null default 30,
  machine_type varchar(20) not null default 'ec2',
  agent_version varchar(50),
  agent_last_seen_at timestamptz,
  gh_image_tag varchar(255),
  gh_image_updated_at timestamptz,
  deployed_commit_sha varchar(64),
  health_check_failure_count integer not null default 0,
  last_became_idle_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create index idx_sandboxes_environment on sandboxes (environment);
create index idx_sandboxes_status on sandboxes (status);
create index idx_sandboxes_health_status on sandboxes (health_status);
create index idx_sandboxes_environment_status on sandboxes (environment, status);
create index idx_sandboxes_status_health on sandboxes (status, health_status);
create index idx_sandboxes_updated_at on sandboxes (updated_at desc);
create index idx_sandboxes_ec2_status on sandboxes (ec2_status);
create index idx_sandboxes_auto_stop on sandboxes (auto_stop_enabled) where auto_stop_enabled;
