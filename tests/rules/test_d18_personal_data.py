"""docs/delivery.md, rule 18: names and addresses live in ledger, warehouse and m3ter only.

Whole runs, good and failing, by their operators: logs, errors with everything chained to them, XComs and the reprs of
every object of ours in memory are searched for the marker values of one person, and for secrets.
"""

from __future__ import annotations

import gc
import json
import logging
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowSkipException
from sqlalchemy import inspect, text

from m3ter_onboarding.clock import utc_now
from m3ter_onboarding.ledger import mirror, mirror_comparison, people
from m3ter_onboarding.ledger.open_invitations import open_invitations
from m3ter_onboarding.mirroring.mirrored_organisation import MirroredOrganisation
from m3ter_onboarding.planning.facts import Facts
from m3ter_onboarding.planning.plan_settings import PlanSettings
from m3ter_onboarding.planning.planner import decide
from m3ter_onboarding.sending.stop_signals import Stop
from m3ter_onboarding.source.new_hire import validate_row
from m3ter_onboarding.source.warehouse import read_rows, warehouse_engine
from m3ter_provider.errors import M3terError
from tests.support import ledger_rows
from tests.support.task_runs import TaskRun, m3ter_connection
from tests.support.world import WINDOW, World

FIRST, LAST, ADDRESS = "Zaphod", "Beeblebrox", "Zaphod.Beeblebrox@heartofgold.example"
OTHER = "trillian.mcmillan@heartofgold.example"
MARKERS = ("zaphod", "beeblebrox", "trillian", "mcmillan")
POST = "CreateOrgUserInvitation"
QUOTING = f"{FIRST} {LAST} <{ADDRESS}> is not welcome"


def markers_in(said: str, world: World) -> list[str]:
    found = [marker for marker in MARKERS if marker in said.casefold()]
    return found + [secret for secret in (world.m3ter.api_secret, "Bearer ") if secret in said]


def said_by(error: BaseException) -> str:
    """Return everything a log shows of an error, and the text of what it hides."""
    shown = "".join(traceback.format_exception(error))
    return f"{shown}\n{error!r}\n{vars(error)}" if not isinstance(error, M3terError) else f"{shown}\n{error!r}"


@pytest.fixture
def person(world: World) -> Iterator[World]:
    """Return a world in which the marker person was hired."""
    world.hire("e42", email=ADDRESS, first_name=FIRST, last_name=LAST)
    world.hire("e43", email=OTHER, first_name="Trillian", last_name="McMillan")
    with m3ter_connection(world, timeout_seconds=0.5):
        yield world


@dataclass
class Heard:
    """What a run said, and how it ended."""

    run: TaskRun
    said: list[str]
    errors: list[BaseException]

    def everything(self) -> str:
        return "\n".join([*self.said, *map(said_by, self.errors), json.dumps(self.run.xcoms, default=str)])


def hear(world: World, caplog: pytest.LogCaptureFixture, **values: Any) -> Heard:
    """Run all four tasks, also after one that failed, and keep the log."""
    caplog.set_level(logging.INFO)
    run = TaskRun(world, "run-1", (WINDOW.start, WINDOW.end), **values)
    errors: list[BaseException] = []
    for task in (run.snapshot, run.plan, run.send, run.report):
        try:
            task()
        except AirflowSkipException:
            pass
        except Exception as error:
            errors.append(error)
    formatter = logging.Formatter("%(name)s %(message)s")
    return Heard(run, [formatter.format(record) for record in caplog.records], errors)


def nothing_wrong(world: World) -> None:
    world.values["settle_after"] = "0.1s"


def answers_lost(world: World) -> None:
    nothing_wrong(world)
    world.m3ter.faults(operation=POST, kind="status", status=504, when="after", message=QUOTING)


def refused(world: World) -> None:
    world.m3ter.faults(operation=POST, kind="status", status=400, message=QUOTING)


def forbidden(world: World) -> None:
    world.m3ter.faults(operation=POST, kind="status", status=403, message=QUOTING)


def not_found(world: World) -> None:
    world.m3ter.faults(operation=POST, kind="status", status=404, message=QUOTING)


def garbled(world: World) -> None:
    nothing_wrong(world)
    world.m3ter.faults(operation=POST, kind="garbled", garble="missing_id")


def lists_without_ids(world: World) -> None:
    world.m3ter.seed(invitations=[{"email": ADDRESS, "firstName": FIRST, "lastName": LAST}])
    world.m3ter.switches(omit_fields=["id"])


def lists_without_addresses(world: World) -> None:
    world.m3ter.seed(invitations=[{"email": ADDRESS, "firstName": FIRST, "lastName": LAST}])
    world.m3ter.switches(omit_fields=["email"])


def list_forbidden(world: World) -> None:
    world.m3ter.faults(method="GET", path="/users$", kind="status", status=403, message=QUOTING)


def found_by_hand(world: World) -> None:
    world.m3ter.seed(invitations=[{"email": ADDRESS}], users=[{"email": OTHER}])


def warehouse_without_a_column(world: World) -> None:
    with world.db.engine.begin() as connection:
        connection.execute(text("ALTER TABLE hires RENAME COLUMN last_name TO surname"))


def rows_of_every_defect(world: World) -> None:
    name = f"{FIRST} {LAST}"
    world.hire("d1", email=f"{name} <{ADDRESS}>")
    world.hire("d2", email=name)
    world.hire("d3", email=ADDRESS.upper(), first_name="  ")
    world.hire("d4", email="other@example.com", last_name=LAST * 15)
    world.hire("d5", email="date@example.com", start_date=name)
    world.hire("d6", email="policy@example.com", permission_policies=name)
    world.hire("d7", email=ADDRESS.lower())
    world.hire(FIRST, email="id@example.com")


def ledger_that_lost_a_column(world: World) -> None:
    with world.db.engine.begin() as connection:
        connection.execute(text("ALTER TABLE m3ter_onboarding_decision RENAME COLUMN detail TO details"))


def ledger_with_a_rule_of_its_own(world: World) -> None:
    """A unique key that somebody added: PostgreSQL's DETAIL quotes the values that collide."""
    with world.db.engine.begin() as connection:
        connection.execute(text("CREATE UNIQUE INDEX uq_theirs ON m3ter_onboarding_decision (org_id, email_key)"))
        connection.execute(
            text(
                "INSERT INTO m3ter_onboarding_decision"
                " (plan_id, row_no, org_id, email_key, decision, reason, decided_at)"
                " VALUES ('old', 1, :org, :key, 'skip', 'test', '2030-01-01 00:00:00')"
            ),
            {"org": world.m3ter.org_id, "key": ADDRESS.lower()},
        )


def mended(world: World) -> None:
    """Undo what the scenarios do to the shared database."""
    world.db.engine.dispose()  # a pooled connection to SQLite may still believe in the columns that it knew
    undo = {
        "ALTER TABLE hires RENAME COLUMN surname TO last_name": ("hires", "surname"),
        "ALTER TABLE m3ter_onboarding_decision RENAME COLUMN details TO detail": (
            "m3ter_onboarding_decision",
            "details",
        ),
    }
    for statement, (table, column) in undo.items():
        if column in {found["name"] for found in inspect(world.db.engine).get_columns(table)}:
            with world.db.engine.begin() as connection:
                connection.execute(text(statement))
    with world.db.engine.begin() as connection:
        connection.execute(text("DROP INDEX IF EXISTS uq_theirs"))


SCENARIOS: list[tuple[Callable[[World], None], bool]] = [
    (nothing_wrong, True),
    (answers_lost, True),
    (garbled, True),
    (found_by_hand, True),
    (refused, False),
    (forbidden, False),
    (not_found, False),
    (lists_without_ids, False),
    (lists_without_addresses, False),
    (list_forbidden, False),
    (warehouse_without_a_column, False),
    (rows_of_every_defect, True),
    (ledger_that_lost_a_column, False),
    (ledger_with_a_rule_of_its_own, False),
]


@pytest.mark.parametrize(("scenario", "good"), SCENARIOS, ids=lambda value: getattr(value, "__name__", ""))
def test_d18_whole_runs_name_nobody(
    person: World, caplog: pytest.LogCaptureFixture, scenario: Callable[[World], None], good: bool
) -> None:
    world = person
    scenario(world)
    try:
        heard = hear(world, caplog)
    finally:
        mended(world)
    assert (not heard.errors) is good, [repr(error) for error in heard.errors]
    assert heard.said, "something was listened to"
    assert markers_in(heard.everything(), world) == []
    assert all(isinstance(error, AirflowException) for error in heard.errors)
    assert all(error.__cause__ is None for error in heard.errors)


def test_d18_run_for_one_employee_names_nobody(person: World, caplog: pytest.LogCaptureFixture) -> None:
    heard = hear(person, caplog, params={"only_employee": "e42"})
    assert not heard.errors
    assert "select:" in heard.everything()
    assert markers_in(heard.everything(), person) == []
    assert len(person.emails()) == 1


@pytest.mark.parametrize(
    "params",
    [{"mode": ADDRESS}, {"interval_start": ADDRESS}, {"max_invitations": ADDRESS}, {ADDRESS: 1}],
    ids=["mode", "interval", "count", "name"],
)
def test_d18_wrong_run_parameters_are_not_quoted_with_an_address(
    person: World, caplog: pytest.LogCaptureFixture, params: dict[str, Any]
) -> None:
    heard = hear(person, caplog, params=params)
    assert heard.errors
    assert markers_in(heard.everything(), person) == []
    assert person.posts() == 0


def test_d18_a_stored_request_that_is_not_valid_is_not_quoted(person: World, caplog: pytest.LogCaptureFixture) -> None:
    world = person
    run = TaskRun(world, "run-1", (WINDOW.start, WINDOW.end))
    caplog.set_level(logging.INFO)
    run.snapshot()
    run.plan()
    plan_id = run.xcoms["plan"]["plan_id"]
    for employee in ledger_rows.decisions(world.db, plan_id):
        world.store_request(plan_id, employee, {"email": QUOTING, "firstName": FIRST})
    run.send()
    assert set(world.states().values()) == {"failed"}
    assert markers_in(caplog.text, world) == []


OURS = ("m3ter_onboarding.", "m3ter_provider.")


@pytest.fixture
def nothing_frozen() -> Iterator[None]:
    """Let ``gc.get_objects()`` return what was imported, too; it is frozen otherwise."""
    gc.unfreeze()
    yield
    gc.collect()
    gc.freeze()


def test_d18_reprs_of_our_objects_name_nobody(person: World, nothing_frozen: None) -> None:
    # All that lands in a log by "%s" or in a traceback with its locals.
    world = person
    world.hire("d1", email=f"{FIRST} <{ADDRESS}>")
    world.m3ter.seed(
        invitations=[{"email": OTHER, "firstName": "Trillian", "lastName": "McMillan"}],
        users=[{"email": "zaphod@example.com", "firstName": FIRST, "lastName": LAST}],
    )
    leaking: dict[str, str] = {}
    seen: set[str] = set()

    def look() -> None:
        for candidate in gc.get_objects():
            kind = type(candidate)
            if not str(getattr(kind, "__module__", "")).startswith(OURS):
                continue
            seen.add(kind.__name__)
            shown = repr(candidate)
            if markers_in(shown, world) and kind.__name__ not in leaking:
                leaking[kind.__name__] = shown[:200]

    class Looking(Stop):
        looks = 0

        @property
        def reason(self) -> str | None:
            # Before the claim, before the POST and after it; a look takes seconds where the machine is busy.
            if Looking.looks % 3 == 0 and Looking.looks < 30:
                look()
            Looking.looks += 1
            return super().reason

    world.snapshot()
    plan = world.plan()
    look()
    world.send(plan, stop=Looking)
    assert {"Claimed", "InvitationRequest", "Sender", "ConnectionSettings"} <= seen
    assert leaking == {}


def test_d18_reprs_of_what_is_read_name_nobody(person: World) -> None:
    world = person
    world.hire("d1", email=f"{FIRST} <{ADDRESS}>", last_name=LAST * 15)
    world.m3ter.seed(
        invitations=[{"email": ADDRESS, "firstName": FIRST, "lastName": LAST, "contactNumber": FIRST}],
        users=[{"email": ADDRESS, "firstName": FIRST, "lastName": LAST}, {"email": OTHER}],
    )
    db, org_id, key = world.db, world.m3ter.org_id, ADDRESS.casefold()

    async def first_items(org: MirroredOrganisation) -> list[Any]:
        pages: list[Any] = [page async for page in org.m3ter.iter_invitation_pages()]
        pages += [page async for page in org.m3ter.iter_user_pages()]
        return [*pages, *(item for page in pages for item in page.items)]

    objects: list[Any] = world.with_m3ter(first_items)
    config = world.config()
    engine = warehouse_engine(world.warehouse_conn_id)
    rows = read_rows(engine, config.query_text, WINDOW)
    engine.dispose()
    world.snapshot()
    hires = [validate_row(row, default_time_zone="UTC", now=utc_now()) for row in rows]
    ledger = people.read_ledger(db, org_id, [key], ["e42"], planning=world.run("none"))
    facts = Facts(
        ledger=ledger, invitations=mirror.invitations_of(db, org_id, [key]), users=mirror.users_of(db, org_id, [key])
    )
    world.hire("e44", email="zaphod.2@heartofgold.example")
    world.claim(world.plan())
    objects += open_invitations(db, org_id)[1]
    with db.engine.begin() as connection:
        connection.execute(db.tables.invitation.delete())
    objects += [*rows, *hires, *ledger, facts, *facts.invitations, *facts.users]
    objects += mirror_comparison.unmatched_invitations(db, org_id, utc_now()) + mirror_comparison.unmatched_users(
        db, org_id, utc_now()
    )
    objects += decide(hires, Facts(), PlanSettings(), now=utc_now())
    assert len({type(each).__name__ for each in objects}) >= 10
    assert {type(each).__name__: repr(each) for each in objects if markers_in(repr(each), world)} == {}
