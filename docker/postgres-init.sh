#!/bin/sh
# Runs once, when the volume of Postgres is empty. Temporal and the fleet have roles of their own, so that neither reads the other's tables.
set -eu
psql --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname=postgres \
  --set=temporal_password="$TEMPORAL_DB_PASSWORD" --set=yardmaster_password="$YARDMASTER_DB_PASSWORD" <<'SQL'
create role temporal login password :'temporal_password';
create role yardmaster login password :'yardmaster_password';
create database temporal owner temporal;
create database temporal_visibility owner temporal;
create database fleet owner yardmaster;
revoke connect on database temporal, temporal_visibility, fleet from public;
-- Is a worker dead? Its backends tell, and stopping one means ending its backend (docs/operators.md).
grant pg_read_all_stats, pg_signal_backend to yardmaster;
SQL
