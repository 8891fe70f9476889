"""One SQLite file keeps everything, over a stop and over a kill."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from m3ter_sandbox.sandbox import Sandbox, Setup
from m3ter_sandbox.seed import SeedError
from m3ter_sandbox.store import Store, StoreError
from m3ter_sandbox.tokens import Credentials
from tests.support.local_m3ter import LocalM3ter


def reopened(path: Path, **switches: object) -> LocalM3ter:
    return LocalM3ter(Setup(database=str(path), switches={"requests_per_second": 0, **switches}))


def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.db"
    first = reopened(path)
    first.control("PATCH", "switches", {"list_lag_seconds": 7})
    first.control("POST", "clock", {"advance": -3600})
    first.invite("Ann@example.com")
    first.invite("bob@example.com")
    first.control("POST", "accept", {"email": "bob@example.com"})
    first.time.seconds += 10
    token = first.token()
    before = (first.listed(), first.listed("users"), first.listed("permissionpolicies"))
    mailbox = first.control("GET", "mailbox")
    first.close()

    second = reopened(path)
    second.time.seconds += 10
    assert second.call("GET", "users", token=token).status_code == 200
    assert (second.listed(), second.listed("users"), second.listed("permissionpolicies")) == before
    assert second.control("GET", "mailbox") == mailbox
    assert second.emails() == {"ann@example.com": 1, "bob@example.com": 1}
    assert second.sandbox.switches.list_lag_seconds == 7
    assert second.control("GET", "clock")["shift"] == -3600
    second.close()


def test_an_answered_request_is_kept_without_a_close(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.db"
    killed = reopened(path)
    for number in range(20):
        killed.invite(f"{number}@example.com")
    # What a killed process leaves: the file and its log as they are now.
    copy = tmp_path / "copy.db"
    for name in ("sandbox.db", "sandbox.db-wal"):
        (tmp_path / name.replace("sandbox", "copy")).write_bytes((tmp_path / name).read_bytes())
    after = reopened(copy)
    assert len(after.emails()) == 20
    after.close()
    killed.close()


def test_switches_of_the_command_line_go_before_kept_ones(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.db"
    first = reopened(path)
    first.control("PATCH", "switches", {"window": "sliding", "retry_after": "date"})
    first.close()
    second = reopened(path, window="calendar")
    assert (second.sandbox.switches.window, second.sandbox.switches.retry_after) == ("calendar", "date")
    second.close()


def test_the_starting_state_goes_into_a_new_file_only_and_comes_back_with_a_reset(tmp_path: Path) -> None:
    setup = Setup(database=str(tmp_path / "sandbox.db"), seed={"users": [{"email": "ann@example.com"}]})
    for _ in range(2):
        sandbox = Sandbox(setup)
        assert sandbox.organization.totals()["users"] == 1
        sandbox.seed({"users": [{"email": "bob@example.com"}]})
        sandbox.reset()
        assert sandbox.organization.totals()["users"] == 1
        sandbox.close()


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("not a database, however long it may be " * 100)
    with pytest.raises(StoreError, match=r"notes\.txt cannot be used"):
        Store(str(text))
    foreign = tmp_path / "foreign.db"
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE something (id INTEGER)")
    connection.close()
    with pytest.raises(StoreError, match="something else"):
        Store(str(foreign))
    with pytest.raises(StoreError, match="cannot be used"):
        Store(str(tmp_path / "no" / "such" / "folder.db"))
    with pytest.raises(StoreError, match="cannot be used"):
        Store(str(tmp_path))


def test_one_file_serves_one_sandbox_at_a_time(tmp_path: Path) -> None:
    first = Store(str(tmp_path / "sandbox.db"))
    with pytest.raises(StoreError, match="end the sandbox that uses it"):
        Store(str(tmp_path / "sandbox.db"))
    first.close()
    Store(str(tmp_path / "sandbox.db")).close()


def test_another_organization_does_not_find_its_data(tmp_path: Path) -> None:
    path = str(tmp_path / "sandbox.db")
    Sandbox(Setup(database=path)).close()
    with pytest.raises(StoreError, match="not other-org"):
        Sandbox(Setup(database=path, credentials=Credentials("other-org", "a", "b")))


@pytest.mark.parametrize(
    ("seed", "place"),
    [
        ({"people": []}, "people"),
        ({"users": [{}]}, r"users\.0\.email"),
        ({"users": [{"email": "a@example.com", "name": "x"}]}, r"users\.0\.name"),
        ({"invitations": [{"email": "a@example.com", "dtExpiry": "soon"}]}, r"invitations\.0\.dtExpiry"),
        ({"users": [{"email": "a@example.com", "id": "x"}, {"email": "b@example.com", "id": "x"}]}, "id occurs twice"),
        ({"users": [{"email": "a@example.com", "version": 10**30}]}, "too large"),
        ({"policies": [{"name": "P", "permissionPolicy": []}]}, r"policies\.0\.permissionPolicy"),
    ],
)
def test_a_wrong_starting_state_names_its_place(seed: dict[str, object], place: str) -> None:
    with pytest.raises(SeedError, match=place):
        Sandbox(Setup(seed=seed))


def test_a_failed_change_leaves_nothing_behind() -> None:
    store = Store()

    def change() -> None:
        with store:
            store.keep_setting("kept", 1)
            store.insert("user_group", {"id": None, "user_id": "u", "name": "n", "dt_created": 1})

    with pytest.raises(sqlite3.IntegrityError):
        change()
    assert store.setting("kept") is None
    store.close()
