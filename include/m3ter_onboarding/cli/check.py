"""``check``: a configuration is checked, today's run is described, and, on demand, every connection is tried."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from functools import partial
from pathlib import Path

from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException

from m3ter_onboarding.cli.failure import CommandError
from m3ter_onboarding.clock import utc_now
from m3ter_onboarding.config.allowed_policies import ANY, named_policies
from m3ter_onboarding.config.names import dag_id_of
from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.config.query_gaps import way_to_forget
from m3ter_onboarding.config.run_parameters import RunParameters
from m3ter_onboarding.config.schedule import AssetSchedule
from m3ter_onboarding.config.yaml_file import load_config
from m3ter_onboarding.errors import ConfigurationError, OnboardingError
from m3ter_onboarding.reporting.notifier_classes import check_notifiers
from m3ter_onboarding.source.window import EarlierRuns, Interval, Window, resolve_interval, resolve_window

Say = Callable[[str], None]
#: The check that needs all the others.
_PLAN = "plan"
#: A check that connects: its subject, and a function that does it and returns its finding.
_Check = tuple[str, Callable[[OnboardingConfig, Window], str]]


def check_configuration(path: Path, *, connect: bool, say: Say, now: datetime | None = None) -> int:
    """Check a configuration and print its meaning.

    :param path: the YAML file.
    :param connect: also ask warehouse, ledger and m3ter; nothing is sent, nothing is left changed.
    :param say: takes one line.
    :param now: aware; for tests.
    :returns: the exit status: 0, or 1 where something that was asked is wrong.
    :raises CommandError: when the configuration or the query is wrong.
    """
    try:
        config = load_config(path)
        check_notifiers(config)
    except ConfigurationError as error:
        raise CommandError(str(error)) from None
    now = now or utc_now()
    interval = _interval_of_today(config, now)
    window = resolve_window(interval, EarlierRuns(), look_back=config.look_back, max_age=config.max_age, now=now)
    say(f"{path} and {config.query} are right.")
    say("")
    for title, text in _plain_words(config, interval, window):
        for number, line in enumerate(textwrap.wrap(text, 104, break_long_words=False, break_on_hyphens=False)):
            say(f"{'' if number else title:<14}{line}")
    for warning in _warnings(config):
        say(f"{'WARNING':<14}{warning}")
    say("")
    if not connect:
        say("Nothing was called. With --connect: do warehouse, ledger and m3ter answer?")
        return 0
    # As in Airflow's own commands: connections that are kept in the metadata database are found too.
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    wrong = 0
    for title, ask in _checks(config, interval, now):
        if title == _PLAN and wrong:
            say(f"{title:<14}not tried, since something above is wrong.")
            break
        try:
            right, found = True, ask(config, window)
        except (OnboardingError, AirflowException) as error:
            right, found = False, str(error)
        except Exception as error:  # noqa: BLE001  (its text may quote a secret)
            right, found = False, f"An unexpected {type(error).__name__}; please report it."
        wrong += not right
        say(f"{title:<14}{'right' if right else 'WRONG'}: {found}")
    return 1 if wrong else 0


def _warnings(config: OnboardingConfig) -> Iterator[str]:
    if way := way_to_forget(config.query_text):
        yield f"The query can forget people: {way}"
    if config.allowed_permission_policies == ANY:
        administrators = "also" if config.allow_administrator_policies else "except"
        yield (
            "`allowed_permission_policies` is any: everybody who can write a row of the warehouse can hand out every"
            f" permission policy of m3ter, {administrators} those that make an administrator. Name those that rows may"
            " ask for."
        )


def _checks(config: OnboardingConfig, interval: Interval, now: datetime) -> Iterator[_Check]:
    yield "warehouse", _warehouse
    if config.exclude.query is not None:
        yield "exclude", _exclusions
    if config.access_review.query is not None:
        yield "access review", _access_review
    yield "ledger", _ledger
    if config.publish and config.ledger_conn_id != config.warehouse_conn_id:
        yield "published", _published
    yield "m3ter", _m3ter
    yield _PLAN, partial(_plan, interval=interval, now=now)


def _interval_of_today(config: OnboardingConfig, now: datetime) -> Interval:
    """Return the days that a run by hand would be for now: with a schedule, Airflow's own last whole interval."""
    start = end = None
    cron = config.cron
    if cron is not None:
        from airflow.timetables.interval import CronDataIntervalTimetable
        from pendulum import instance

        interval = CronDataIntervalTimetable(cron, config.time_zone).infer_manual_data_interval(run_after=instance(now))
        start, end = interval.start, interval.end
    return resolve_interval(start, end, RunParameters(), now=now, look_back=config.look_back)


def _when(config: OnboardingConfig) -> str:
    times = f"at {config.cron!r} in {config.time_zone}" if config.cron else ""
    if isinstance(config.schedule, AssetSchedule):
        assets = f"when each of {', '.join(map(repr, config.schedule.assets))} was updated"
        return f"{assets}, and {times}" if times else assets
    return times or "by hand (`schedule` is null)"


def _plain_words(config: OnboardingConfig, interval: Interval, window: Window) -> Iterator[tuple[str, str]]:
    tags = ", ".join(config.dag.tags)
    yield "DAG", f"{dag_id_of(config.name)}, run {_when(config)}, owner {config.dag.owner}, tags {tags}; starts paused."
    yield "today's run", f"is for {_span(interval.start, interval.end)}."
    yield (
        "it reads",
        (
            f"{_span(window.start, window.end)} (`look_back_days` is {config.look_back_days}), and from earlier where"
            f" days are not caught up yet, at most {config.max_age_days} days back."
        ),
    )
    yield "query", f"{config.path.parent / config.query}, run by the connection '{config.warehouse_conn_id}'."
    routed = "" if config.organisation is None else f", :organisation = {config.organisation!r} (if the query uses it)"
    yield "parameters", f":window_start = {_instant(window.start)}, :window_end = {_instant(window.end)}{routed}."
    if config.organisation is not None:
        known = f"; there are {len(config.organisations)} of them" if config.organisations else ""
        yield "rows", f"those whose column organisation is exactly {config.organisation!r}{known}."
    schema = f"the schema {config.ledger_schema}" if config.ledger_schema else "its own schema"
    made = (
        "the first run makes what is missing"
        if config.create_tables
        else "they must exist: `create_tables` is false, see m3ter-onboarding ddl"
    )
    where = "the warehouse" if config.ledger_conn_id == config.warehouse_conn_id else "not the warehouse"
    yield (
        "ledger",
        (
            f"tables m3ter_onboarding_…, m3ter_invitation… and m3ter_mirror_… in {schema} of the connection"
            f" '{config.ledger_conn_id}' ({where}); {made}."
        ),
    )
    if config.ledger_conn_id != config.warehouse_conn_id:
        what = "runs, plans, decisions, invitations, events and lists, copied to the warehouse after each run"
        copied = f"{what}, {'with' if config.publish is True else 'without'} the view of people."
        yield "published", copied if config.publish else "nothing: `publish` is false, the warehouse is only read."
    yield "m3ter", f"the connection '{config.m3ter_conn_id}' names the organisation, and whether anything may be sent."
    allowed = config.allowed_permission_policies
    may_ask_for = "any" if allowed == ANY else ", ".join(named_policies(allowed)) or "none"
    yield (
        "policies",
        (
            f"{', '.join(config.permission_policies) or 'none'} for rows that name none;"
            f" {may_ask_for} may be asked for, those that make an"
            f" administrator {'too' if config.allow_administrator_policies else 'not'}."
        ),
    )
    yield "limits", f"{'; '.join(_limits(config))}."
    yield "not invited", f"{'; '.join(_nobody(config))}."


def _limits(config: OnboardingConfig) -> Iterator[str]:
    most = "any number of" if config.max_invitations is None else f"at most {config.max_invitations}"
    yield f"{most} invitations in one run"
    if config.max_percent is not None:
        yield f"at most {config.max_percent} percent of its rows"
    per_day = config.max_invitations_per_day
    yield "no limit for 24 hours" if per_day is None else f"at most {per_day} in 24 hours"
    if config.approval_threshold is not None:
        count = " in 23 hours" if config.approval.per == "day" else ""
        yield f"above {config.approval_threshold}{count} a person must approve"
    if config.min_expected_rows:
        yield f"fewer than {config.min_expected_rows} rows fail the run"


def _nobody(config: OnboardingConfig) -> Iterator[str]:
    yield f"people who started more than {config.max_age_days} days ago"
    if config.invite_days_before_start is not None:
        yield f"people who start in more than {config.invite_days_before_start} days (not yet)"
    exclude = config.exclude
    for number, what in (
        (len(exclude.addresses), "addresses"),
        (len(exclude.domains), "domains"),
        (len(exclude.employee_ids), "employee ids"),
    ):
        if number:
            yield f"{number} {what} of `exclude`"


def _span(start: datetime, end: datetime) -> str:
    return f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC"


def _instant(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%S} UTC"


def _warehouse(config: OnboardingConfig, window: Window) -> str:
    from m3ter_onboarding.source.warehouse import check_source

    check_source(
        config.warehouse_conn_id,
        config.query_text,
        window.end,
        extra_columns=config.extra_columns,
        organisation=config.organisation,
    )
    return "the query runs, and its columns are the contract's (no row was read)."


def _exclusions(config: OnboardingConfig, window: Window) -> str:
    from m3ter_onboarding.source.warehouse import check_exclusions

    check_exclusions(config.warehouse_conn_id, config.exclusions_text)
    return "the query of `exclude` runs, and its columns are right (at most one row was read)."


def _access_review(config: OnboardingConfig, window: Window) -> str:
    from m3ter_onboarding.source.warehouse import check_current_jobs

    check_current_jobs(config.warehouse_conn_id, config.job_query_text)
    return "the query of `access_review` runs, and its columns are right (at most one row was read)."


def _ledger(config: OnboardingConfig, window: Window) -> str:
    from m3ter_onboarding.cli.check_ledger import check_ledger

    return check_ledger(config)


def _published(config: OnboardingConfig, window: Window) -> str:
    from m3ter_onboarding.ledger.database import open_ledger
    from m3ter_onboarding.reporting.publication_rehearsal import rehearse_publication
    from m3ter_onboarding.source.warehouse import warehouse_engine

    warehouse = warehouse_engine(config.warehouse_conn_id)
    try:
        with closing(open_ledger(config.ledger_conn_id, config.ledger_schema)) as db:
            return rehearse_publication(db, warehouse, create_tables=config.create_tables)
    finally:
        warehouse.dispose()


def _plan(config: OnboardingConfig, window: Window, *, interval: Interval, now: datetime) -> str:
    from m3ter_onboarding.cli.dry_plan import describe_run_of_now

    return describe_run_of_now(config, interval, now)


def _m3ter(config: OnboardingConfig, window: Window) -> str:
    from m3ter_provider.hooks.m3ter import M3terHook

    try:
        right, message = M3terHook(config.m3ter_conn_id).test_connection()
    except AirflowNotFoundException:
        raise ConfigurationError(
            f"The connection '{config.m3ter_conn_id}' is not defined in Airflow. Make it, or set `m3ter_conn_id` to one"
            " that exists."
        ) from None
    if not right:
        raise ConfigurationError(message)
    return message
