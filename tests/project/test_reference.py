"""The pages of ``docs/`` say what the source says."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path

import pytest
from airflow.sdk import BaseHook
from sqlalchemy import Connection, Engine, create_engine, text

import m3ter_onboarding.errors
import m3ter_onboarding.sending.right_to_send
import m3ter_provider.errors
from m3ter_onboarding.cli.warehouses import WAREHOUSES
from m3ter_onboarding.config.exclude_section import Exclusions
from m3ter_onboarding.config.run_parameters import LONGEST_EMPLOYEE_ID
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.schema import prepare_tables
from m3ter_onboarding.ledger.states import WHYS, InvitationState
from m3ter_onboarding.ledger.tables import tables_in
from m3ter_onboarding.reporting.run_report import Report
from m3ter_onboarding.source import columns, new_hire
from m3ter_provider.connection import connection_settings
from reference import api_types, tables
from reference.blocks import PAGES, ROOT, renewed
from reference.decisions import order_in_the_planner, reasons
from reference.messages import compare, passed_on
from tests.support.allowed_transitions import ALLOWED, BY_A_PERSON, is_allowed
from tests.support.postgresql import PostgresServer

RECIPES = re.findall(
    r"^```sql\n(.*?)^```", (PAGES / "recipes.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
)


def page(name: str) -> str:
    """Read a page."""
    return (PAGES / name).read_text(encoding="utf-8")


# -- made from the source --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(PAGES.glob("*.md")), ids=lambda path: path.name)
def test_a_page_holds_what_the_source_says(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert renewed(text, page=path) == text, "run `make reference`"


def _constrained(name: str) -> bool:
    """Return whether a library is the one of constraints.txt: others word what is generated differently."""
    return f"\n{name}=={version(name)}\n" in (ROOT / "constraints.txt").read_text()


@pytest.mark.skipif(
    not (_constrained("fastapi") and _constrained("pydantic")), reason="written by the libraries of constraints.txt"
)
def test_the_types_of_the_pages_script_are_those_of_its_api() -> None:
    assert api_types.FILE.read_text(encoding="utf-8") == api_types.api_types(), "run `make reference`"


def test_a_block_that_differs_is_written_anew() -> None:
    text = "before\n<!-- table: Exclusions -->\nold\n<!-- end -->\nafter\n"
    new = renewed(text, page=Path("a.md"))
    assert "old" not in new
    assert "`employee_ids`" in new
    assert new.startswith("before\n<!-- table: Exclusions -->\n")
    assert new.endswith("<!-- end -->\nafter\n")


@pytest.mark.parametrize(
    "block",
    [
        "table: Nothing",
        "command: nothing",
        "drawing: nothing",
        "code: include/nothing.py",
        "code: include/m3ter_onboarding/dag.py nothing",
    ],
)
def test_a_block_without_a_source_names_the_page(block: str) -> None:
    with pytest.raises(LookupError, match=r"a\.md"):
        renewed(f"<!-- {block} -->\n<!-- end -->\n", page=Path("a.md"))


def test_a_key_without_a_meaning_is_found() -> None:
    class Undescribed(Exclusions):
        """No words for it."""

        more: int = 1

    with pytest.raises(LookupError, match="more"):
        tables._model(Undescribed)


# -- compared with the source ----------------------------------------------------------------------------------------


def test_every_message_is_explained() -> None:
    compared = compare(page("messages.md"))
    assert [f"{message.place}: {message.template}" for message in compared.unexplained] == []
    assert list(compared.outdated) == [], "of these no message is left"


def test_a_missing_and_an_outdated_message_are_found() -> None:
    compared = compare("| `No such message at all` | means | do |\n")
    assert compared.outdated == ("No such message at all",)
    assert "Connection … has no …. Add it to the connection." in {m.template for m in compared.unexplained}
    # By way of a variable, of a method that returns the text, of a parameter, of a constant.
    found = "\n".join(message.template for message in compared.unexplained)
    for words in (
        "into organisation",
        "cannot guard against",
        "usable answer to",
        "everyone waits",
        "key '…' is missing",
    ):
        assert words in found


def test_the_search_finds_every_message() -> None:
    """A message that is raised or logged without a text of its own is known to pass on another one."""
    known = {
        "organisation.py: sentences(path, cls, error, shared or {})",  # of problems.py
        "run_parameters.py: ' '.join(dict.fromkeys(problems))",  # of its own _sentence
        "status_parameters.py: ' '.join(dict.fromkeys(said))",  # likewise
        "check.py: message",  # of the test of a connection
        "in_flight.py: ended.stop_because",  # of the attempt
        "invitation.py: found",  # between two methods, never seen
        "invitation.py: event['message']",  # of an error in the triggerer
        "hook_connections.py: type(cause).__name__",  # never seen: connections.py names what is missing
        "report.py: ' '.join(report.problems)",
    }
    assert {found for found in passed_on() if not found.endswith(": str(error)")} <= known


def test_every_class_of_error_is_named() -> None:
    text = page("messages.md")
    modules = (m3ter_provider.errors, m3ter_onboarding.errors, m3ter_onboarding.sending.right_to_send)
    classes = {
        name
        for module in modules
        for name, found in inspect.getmembers(module, inspect.isclass)
        if issubclass(found, Exception) and found.__module__ == module.__name__
    }
    assert {name for name in classes - {"M3terError"} if f"`{name}`" not in text} == set()


def test_every_decision_is_in_the_table_in_the_planners_order() -> None:
    rows = re.findall(r"^\| `(\w+:\w+)` \|", page("decisions.md"), re.MULTILINE)
    assert {row.partition(":")[2] for row in rows} == reasons()
    order = order_in_the_planner()
    assert order[0] == "invalid:<field>"
    assert [row for row in rows if row in order] == order[1:]
    fields = [row for row in rows if row not in order]
    assert rows[: len(fields)] == fields
    assert {field.partition(":")[0] for field in fields} == {"invalid"}


def test_rules_that_the_source_cites_are_on_the_page() -> None:
    rules = set(re.findall(r"^### Rule (\d+):", page("delivery.md"), re.MULTILINE))
    cited: set[str] = set()
    for folder in ("include", "plugins", "tests"):
        for path in (ROOT / folder).rglob("*.py"):
            for numbers in re.findall(
                r"docs/delivery\.md, (?:rules? )?([\d, and to]+)", path.read_text(encoding="utf-8")
            ):
                cited.update(re.findall(r"\d+", numbers))
    assert cited
    assert cited <= rules
    tested = {
        number
        for path in (ROOT / "tests" / "onboarding").glob("*.py")
        for number in re.findall(r"def test_d0*(\d+)_", path.read_text(encoding="utf-8"))
    }
    assert tested
    assert tested <= rules


def test_tables_and_states_of_the_ledger_are_on_the_page() -> None:
    text = page("delivery.md")
    for table in tables_in(None).all():
        assert f"`{table.name}`" in text or table.name.startswith("m3ter_mirror_"), table.name
    for state in InvitationState:
        assert re.search(rf"\b{state.value}\b", text), state


def drawn() -> set[tuple[str | None, str, str]]:
    """Read from the page what leads from which state to which: state (None: the row begins), event, state."""
    found: set[tuple[str | None, str, str]] = set()
    before: list[str] = []
    (drawing,) = re.findall(r"<!-- drawing: states -->\n\n```text\n(.*?)```", page("delivery.md"), re.DOTALL)
    for line in drawing.splitlines():
        if arrow := re.fullmatch(r" +─ (.*?) ─*→ (.*)", line):
            found.update(
                (None if one == "(none)" else one, why, after)
                for one in before
                for why in arrow[1].split(", ")
                for after in arrow[2].split(", ")
            )
        else:
            before = line.split(", ")
    return found


def test_the_states_are_drawn_as_they_are() -> None:
    by_a_person = {(before, after) for before, why, after in drawn() if why == "decided"}
    for before, why, after in drawn():
        assert why == "decided" or is_allowed(before, after, why), (before, why, after)
    arrows = {(before, after) for before, afters in ALLOWED.items() for after in afters}
    assert arrows <= {(before, after) for before, _, after in drawn()}
    assert by_a_person == {(before, after) for before, afters in BY_A_PERSON.items() for after in afters}


def test_every_event_that_is_drawn_has_words() -> None:
    assert {why for _, why, _ in drawn()} == set(WHYS)


def test_the_parts_of_the_report_are_named() -> None:
    (problem,) = Report("o", False, "normal", problems=("x",)).problem_lines()
    assert f"`{problem.removesuffix(' x')}`" in page("messages.md")


def test_the_columns_of_the_query_are_those_of_the_contract() -> None:
    rows = re.findall(r"^\| (`.*?) \| (required|optional) \| (.*) \|$", page("query.md"), re.MULTILINE)
    described = {name: (kind, meaning) for names, kind, meaning in rows for name in re.findall(r"`(\w+)`", names)}
    assert {name for name, (kind, _) in described.items() if kind == "required"} == set(columns.REQUIRED_COLUMNS)
    assert {name for name, (kind, _) in described.items() if kind == "optional"} == set(columns.OPTIONAL_COLUMNS)
    assert f"at most {LONGEST_EMPLOYEE_ID} characters" in described["employee_id"][1]
    assert f"1 to {new_hire.LONGEST_NAME} characters" in described["first_name"][1]
    assert f"at most {new_hire.LONGEST_CONTACT_NUMBER} characters" in described["contact_number"][1]


@pytest.mark.parametrize("warehouse", WAREHOUSES)
def test_there_is_a_query_for_each_warehouse_that_init_knows(warehouse: str) -> None:
    query = WAREHOUSES[warehouse].query
    assert re.search(rf"<!-- code: include/\S*/{query}\.sql SELECT -->", page("warehouses.md"))


# -- what a reader copies --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", re.findall(r"^AIRFLOW_CONN_\w+='(.*)'$", page("connect.md"), re.MULTILINE))
def test_connections_can_be_used(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_M3TER_DEFAULT", value)
    settings = connection_settings(BaseHook.get_connection("m3ter_default"))
    assert settings.access_key_id == "ACCESS-KEY-ID"
    assert settings.api_secret == "API-SECRET"
    assert settings.org_id.startswith("0000")
    assert settings.base_url == "https://api.m3ter.com"
    assert settings.allow_invitations is False
    assert settings.allowed_domains in ((), ("example.com", "example.org"))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An empty ledger."""
    if request.param == "sqlite":
        engine = create_engine(f"sqlite:///{tmp_path_factory.mktemp('ledger') / 'ledger.db'}")
    else:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        engine = create_engine(server.new_database().url())
    db = LedgerDatabase(engine)
    prepare_tables(db, create_tables=True, now=datetime(2026, 11, 24, tzinfo=timezone.utc), package_version="1")
    yield engine
    db.close()


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: " ".join(recipe.split()[:6]))
def test_recipes_run_on_a_ledger(recipe: str, ledger: Engine) -> None:
    with ledger.connect() as connection:
        for statement in filter(str.strip, recipe.split(";")):
            connection.execute(text(statement.replace(":", r"\:")))
        connection.rollback()


def test_a_persons_decision_is_recorded(ledger: Engine) -> None:
    (recipe,) = [recipe for recipe in RECIPES if recipe.startswith("UPDATE")]
    with ledger.connect() as connection:
        _row_for_review(connection, 17)
        _row_for_review(connection, 18)
        for statement in filter(str.strip, recipe.split(";")):
            connection.execute(text(statement))
        states = connection.execute(text("SELECT invitation_id, state FROM m3ter_invitation ORDER BY 1")).all()
        events = connection.execute(text("SELECT invitation_id, to_state, why FROM m3ter_invitation_event")).all()
        connection.rollback()
    assert [tuple(row) for row in states] == [(17, "unsent"), (18, "review")]
    assert [tuple(row) for row in events] == [(17, "unsent", "decided")]


def _row_for_review(connection: Connection, number: int) -> None:
    connection.execute(
        text(
            "INSERT INTO m3ter_invitation"
            " (invitation_id, org_id, email_key, email, generation, state, origin, created_at, updated_at)"
            f" VALUES ({number}, 'o', 'a{number}', 'a', 1, 'review', 'claimed', CURRENT_TIMESTAMP,"
            " CURRENT_TIMESTAMP)"
        )
    )
