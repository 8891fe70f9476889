#!/usr/bin/env bash
# A warehouse with a few new hires and a ledger, for the DAG m3ter_onboarding__demo. Run once, when the volume is empty.
set -euo pipefail

psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
     --set password="$WAREHOUSE_PASSWORD" --set ledger="$LEDGER_PASSWORD" <<'SQL'
CREATE ROLE warehouse LOGIN PASSWORD :'password';
CREATE DATABASE warehouse OWNER warehouse;
CREATE ROLE ledger LOGIN PASSWORD :'ledger';
CREATE DATABASE ledger OWNER ledger;
SQL

psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname warehouse <<'SQL'
SET ROLE warehouse;
CREATE TABLE people (
    employee_id text NOT NULL,
    email text,
    first_name text,
    last_name text,
    contact_number text,
    permission_policies text,
    starts_in_days integer NOT NULL,
    time_zone text
);
INSERT INTO people VALUES
    ('E1', 'Bjork.Jonsdottir@is.example.com', 'Björk', 'Jónsdóttir', '+354 5550101', NULL, 7, 'Atlantic/Reykjavik'),
    ('E2', 'keoni.kealoha@us.example.com', 'Keoni', 'Kealoha', NULL, 'Analyst', 14, 'Pacific/Honolulu'),
    ('E3', 'not an address', 'Nobody', 'Reachable', NULL, NULL, 0, NULL);
-- Loaded yesterday, whenever somebody looks: the first run finds them however old this database is.
CREATE VIEW hires AS
SELECT
    employee_id, email, first_name, last_name, contact_number, permission_policies, time_zone,
    current_date + starts_in_days AS start_date,
    NULL::date AS access_end_date,
    date_trunc('day', now()) - interval '12 hours' AS loaded_at
FROM people;
SQL
