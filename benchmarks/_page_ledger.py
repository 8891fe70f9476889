"""A ledger of many organisations for the benchmark of the page, made by a few statements of SQL."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import TYPE_CHECKING

from sqlalchemy import Connection

if TYPE_CHECKING:
    from m3ter_onboarding.page.onboarding_dags import OnboardingDag

LEDGER = "bench_ledger"
#: Days with a run of each DAG.
DAYS = 120
#: Of a hundred invitations, so many are in each state.
_STATES = {
    "accepted": 70,
    "expired": 12,
    "sent": 10,
    "superseded": 2,
    "failed": 2,
    "unsent": 1,
    "adopted": 2,
    "review": 1,
}
#: Of each organisation.
_STARTING, _CHASED, _ASKED = 20, 10, 10


def fill_ledger(conn_id: str, organisations: int, invitations: int) -> Mapping[str, OnboardingDag]:
    """Make the tables and fill them; return the DAGs that keep this ledger."""
    from m3ter_onboarding.clock import utc_now
    from m3ter_onboarding.ledger.database import open_ledger
    from m3ter_onboarding.ledger.schema import prepare_tables
    from m3ter_onboarding.page.onboarding_dags import LedgerPlace, OnboardingDag

    with closing(open_ledger(conn_id)) as db:
        prepare_tables(db, create_tables=True, now=utc_now(), package_version="0")
        with db.engine.begin() as connection:
            for statement in _statements(connection, organisations, invitations):
                driver = statement.replace("%", "%%") if connection.dialect.name == "postgresql" else statement
                connection.exec_driver_sql(driver)
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE" if db.engine.dialect.name == "postgresql" else "ANALYZE")
    ids = [f"m3ter_onboarding__o{number}" for number in range(organisations)]
    modes = ("normal", "dry_run", "baseline", "full", "retry_failed")
    place = LedgerPlace(conn_id, None)
    return {
        one: OnboardingDag(one.rpartition("__")[2], "m3ter_default", place, modes, one, one, False, True, None)
        for one in ids
    }


def _statements(connection: Connection, organisations: int, invitations: int) -> list[str]:
    postgresql = connection.dialect.name == "postgresql"

    def ago(hours: str) -> str:
        if postgresql:
            return f"(now() - ({hours}) * interval '1 hour')"
        return f"strftime('%Y-%m-%d %H:%M:%S.000000', 'now', (-1 * ({hours})) || ' hours')"

    def day(days: str) -> str:
        return f"(current_date + ({days}))" if postgresql else f"date('now', ({days}) || ' days')"

    def numbers(many: int) -> str:
        return f"WITH RECURSIVE n(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < {many - 1})"

    org, dag = f"'org-' || (n % {organisations})", f"'m3ter_onboarding__o' || (n % {organisations})"
    nth = f"(n / {organisations})"  # of its organisation
    place = f"(({nth} * 37 + {nth} / {DAYS}) % 100)"  # from 0 to 99
    run, yes = f"'r' || ({nth} % {DAYS})", "true" if postgresql else "1"
    counts = '{"rows": 40, "allow_invitations": true}'
    planned = '{"invite:new": 28, "skip:already_invited": 10, "invalid:email": 2}'
    return [
        (
            f"INSERT INTO m3ter_onboarding_admission SELECT * FROM ({numbers(organisations)}"
            f" SELECT {dag}, {org}, {ago('0')}, {ago('0')} FROM n) made"
        ),
        (
            f"INSERT INTO m3ter_onboarding_day_one_pass (org_id, dag_id, config_name, time_zone,"
            f" starts_within_days, no_successful_run_days, first_at,"
            f" last_at) SELECT * FROM ({numbers(organisations)} SELECT {org}, 'day_one',"
            f" 'o', CASE n % 3 WHEN 0 THEN 'Europe/Berlin' WHEN 1 THEN 'UTC' ELSE 'America/New_York' END, 14, 3,"
            f" {ago('99')},"
            f" {ago('1')} FROM n) made"
        ),
        (
            f"INSERT INTO m3ter_onboarding_run (dag_id, run_id, config_name, org_id, run_type, mode, interval_start,"
            f" interval_end, window_start, window_end, config_hash, package_version, may_invite, started_at,"
            f" finished_at, outcome, counts) SELECT * FROM ({numbers(organisations * DAYS)} SELECT {dag}, {run}, 'o',"
            f" {org}, 'scheduled', 'normal', {ago(f'{nth} * 24 + 24')}, {ago(f'{nth} * 24')},"
            f" {ago(f'{nth} * 24 + 96')},"
            f" {ago(f'{nth} * 24')}, 'c', '0', {yes}, {ago(f'{nth} * 24')}, {ago(f'{nth} * 24')}, 'success',"
            f" {_json(counts, postgresql)} FROM n) made"
        ),
        (
            f"INSERT INTO m3ter_onboarding_plan (plan_id, dag_id, run_id, seq, org_id, state, mode, sendable,"
            f" needs_approval, rows_read, invitations, counts, policies, window_start, window_end, created_at,"
            f" sealed_at) SELECT * FROM ({numbers(organisations * DAYS)} SELECT 'p' || n, {dag}, {run}, 1, {org},"
            f" 'sealed', 'normal', {yes}, NOT {yes}, 40, 28, {_json(planned, postgresql)}, {_json('[]', postgresql)},"
            f" {ago(f'{nth} * 24 + 96')}, {ago(f'{nth} * 24')}, {ago(f'{nth} * 24')}, {ago(f'{nth} * 24')} FROM n) made"
        ),
        (
            f"INSERT INTO m3ter_invitation (org_id, email_key, email, generation, employee_id, state, origin, dag_id,"
            f" run_id, plan_id, row_no, sent_at, accepted_at, expires_at, created_at, updated_at)"
            f" SELECT * FROM ({numbers(invitations)}"
            f" SELECT {org}, 'user' || n || '@example.com', 'user' || n || '@example.com', 1, 'E' || n,"
            f" {_state(place)}, 'claimed', {dag}, {run}, 'p' || (n % {organisations * DAYS}), n,"
            f" {ago(f'{nth} % {DAYS} * 24')},"
            f" CASE WHEN {place} < 70 THEN {ago(f'{nth} % {DAYS} * 24 - n % 20')} END, {ago('-1 * (n % 720)')},"
            f" {ago(f'{nth} % {DAYS} * 24')}, {ago(f'{nth} % {DAYS} * 24 - n % 20')} FROM n) made"
        ),
        (
            f"INSERT INTO m3ter_onboarding_decision (plan_id, row_no, org_id, employee_id, email, email_key, decision,"
            f" reason, start_date, request, decided_at) SELECT plan_id, row_no, org_id, employee_id, email, email_key,"
            f" 'invite', 'new', CASE WHEN state = 'sent' THEN {day('row_no % 30')} END,"
            f" {'CAST' if postgresql else ''}({_REQUEST}{' AS json' if postgresql else ''}), created_at"
            f" FROM m3ter_invitation"
        ),
        (
            f"INSERT INTO m3ter_onboarding_day_one (org_id, person_key, employee_id, start_date, standing,"
            f" standing_since, decision, reason, plan_id, row_no, dag_id, first_seen_at, last_seen_at) SELECT * FROM"
            f" ({numbers(organisations * _STARTING)} SELECT {org}, 'employee:E' || n, 'E' || n, {day(f'{nth} % 14')},"
            f" CASE n % 3 WHEN 0 THEN 'not_invited' WHEN 1 THEN 'pending' ELSE 'accepted' END, {ago('9')}, 'invite',"
            f" 'new', 'p' || n, 1, {dag}, {ago('9')}, {ago('9')} FROM n) made"
        ),
        (
            f"INSERT INTO m3ter_onboarding_chase (org_id, invitation_id, employee_id, dag_id, why, first_seen_at,"
            f" last_seen_at) SELECT * FROM ({numbers(organisations * _CHASED)} SELECT {org}, n, 'E' || n, {dag},"
            f" 'both', {ago('9')}, {ago('9')} FROM n) made"
        ),
        (
            f"INSERT INTO m3ter_onboarding_worklist (org_id, person_key, employee_id, decision, reason, opened_plan_id,"
            f" plan_id, row_no, dag_id, config_name, window_start, window_end, first_seen_at, opened_at, last_seen_at)"
            f" SELECT * FROM ({numbers(organisations * _ASKED)} SELECT {org}, 'employee:E' || n, 'E' || n, 'review',"
            f" 'rehire', 'p' || n, 'p' || n, 1, {dag}, 'o', {ago('9')}, {ago('9')}, {ago('9')}, {ago('9')}, {ago('9')}"
            f" FROM n) made"
        ),
    ]


#: What was asked of m3ter, as SQL.
_REQUEST = """'{"email": "' || email || '", "firstName": "Ann", "lastName": "Hara' || row_no || '"}'"""


def _json(text: str, postgresql: bool) -> str:
    return f"'{text}'::json" if postgresql else f"'{text}'"


def _state(place: str) -> str:
    cases, end = "", 0
    for state, many in _STATES.items():
        end += many
        cases += f" WHEN {place} < {end} THEN '{state}'"
    return f"CASE{cases} END"
