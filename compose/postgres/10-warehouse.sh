#!/usr/bin/env bash
# A warehouse with a few new hires, for the DAG m3ter_onboarding__demo. Run once, when the volume is empty.
set -euo pipefail

psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
     --set password="$WAREHOUSE_PASSWORD" <<'SQL'
CREATE ROLE warehouse LOGIN PASSWORD :'password';
CREATE DATABASE warehouse OWNER warehouse;
SQL

psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname warehouse <<'SQL'
SET ROLE warehouse;
CREATE TABLE hires (
    employee_id text NOT NULL,
    email text,
    first_name text,
    last_name text,
    contact_number text,
    permission_policies text,
    start_date date,
    access_end_date date,
    time_zone text,
    loaded_at timestamptz NOT NULL
);
CREATE INDEX ON hires (loaded_at);
INSERT INTO hires VALUES
    ('E1', 'Bjork.Jonsdottir@is.example.com', 'Björk', 'Jónsdóttir', '+354 5550101', NULL, current_date + 7, NULL, 'Atlantic/Reykjavik', now() - interval '1 day'),
    ('E2', 'keoni.kealoha@us.example.com', 'Keoni', 'Kealoha', NULL, 'Analyst', current_date + 14, NULL, 'Pacific/Honolulu', now() - interval '1 day'),
    ('E3', 'not an address', 'Nobody', 'Reachable', NULL, NULL, current_date, NULL, NULL, now() - interval '1 day');
SQL
