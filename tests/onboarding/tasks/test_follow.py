"""The task ``follow`` of the status DAG: what became of invitations, with requests for what is open and new."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException
from sqlalchemy import update

from m3ter_onboarding import invitation_status_dag
from m3ter_onboarding.config.names import PAUSE_VARIABLE
from m3ter_onboarding.ledger.states import InvitationState
from m3ter_onboarding.tasks.follow import InvitationStatusOperator
from tests.support.ledger_rows import newest_invitations
from tests.support.task_runs import m3ter_connection
from tests.support.world import World

OLD = 600
OPEN = 3


def follow(world: World, **params: Any) -> dict[str, int]:
    """Run the task ``follow`` as its DAG does."""
    task = invitation_status_dag(world.config()).get_task("follow")
    assert isinstance(task, InvitationStatusOperator)
    context: Any = {"dag_run": SimpleNamespace(dag_id=task.dag_id, run_id="run-1"), "params": params}
    with m3ter_connection(world):
        counts = task.execute(context)
    assert isinstance(counts, dict)
    return counts


def states(world: World) -> dict[str, str]:
    return {email: row["state"] for email, row in newest_invitations(world.db).items()}


def requests_of(world: World, **params: Any) -> int:
    """Return how many requests one run makes."""
    before = len(world.m3ter.requests())
    follow(world, **params)
    return len(world.m3ter.requests()) - before


def with_history(world: World) -> None:
    """Let m3ter hold many old, accepted invitations with their users, and a few open ones behind them."""
    world.m3ter.seed(
        invitations=[
            {"id": f"open-{n}", "email": f"open{n}@example.org", "dtCreated": f"-{900 + n}d", "dtExpiry": "+5d"}
            for n in range(OPEN)
        ]
        + [
            {"id": f"old-{n}", "email": f"old{n}@example.org", "dtCreated": f"-{20 + n}d", "accepted": True}
            for n in range(OLD)
        ],
        users=[{"id": f"user-{n}", "email": f"old{n}@example.org", "dtCreated": f"-{20 + n}d"} for n in range(OLD)],
    )


def test_it_records_accepted_expired_joined_and_made_by_hand_and_posts_nothing(world: World) -> None:
    world.hire("e1", "e2", "e3")
    world.whole_run()
    posted = world.posts()
    world.m3ter.accept("e1@example.com")
    world.m3ter.expire("e2@example.com")
    world.m3ter.seed(
        invitations=[{"email": "hand@example.org", "dtCreated": "-1h"}],
        users=[{"email": "joined@example.org", "dtCreated": "-1h"}],
    )

    counts = follow(world)
    assert states(world) == {
        "e1@example.com": InvitationState.ACCEPTED.value,
        "e2@example.com": InvitationState.EXPIRED.value,
        "e3@example.com": InvitationState.SENT.value,
        "hand@example.org": InvitationState.ADOPTED.value,
        "joined@example.org": InvitationState.ACCEPTED.value,
    }
    assert (counts["accepted"], counts["expired"], counts["adopted"]) == (2, 1, 1)
    assert world.posts() == posted
    assert all(world.emails()[f"e{n}@example.com"] == 1 for n in (1, 2, 3))


def test_it_needs_no_earlier_run_and_no_warehouse(world: World) -> None:
    world.m3ter.seed(invitations=[{"email": "hand@example.org"}])
    assert follow(world)["adopted"] == 1
    assert states(world) == {"hand@example.org": InvitationState.ADOPTED.value}


def test_its_requests_grow_with_what_is_open_and_new_not_with_history(sqlite_world: World) -> None:
    with_history(sqlite_world)
    sqlite_world.snapshot()

    # Its own id and a page of each list, a token perhaps, and one for each open invitation.
    assert requests_of(sqlite_world) <= 1 + 1 + 1 + 1 + OPEN
    assert follow(sqlite_world)["read_singly"] == OPEN
    everything = follow(sqlite_world, everything=True)
    assert (everything["invitations"], everything["users"], everything["read_singly"]) == (OLD + OPEN, OLD, 0)

    sqlite_world.m3ter.accept("open1@example.org")
    assert follow(sqlite_world)["accepted"] == 1
    assert states(sqlite_world)["open1@example.org"] == InvitationState.ACCEPTED.value


def test_a_list_that_is_not_newest_first_is_read_to_its_end(sqlite_world: World) -> None:
    with_history(sqlite_world)
    sqlite_world.snapshot()
    sqlite_world.m3ter.switches(list_order="oldest_first")
    sqlite_world.m3ter.seed(users=[{"email": "joined@example.org"}], invitations=[{"email": "hand@example.org"}])
    counts = follow(sqlite_world)
    assert (counts["accepted"], counts["adopted"]) == (1, 1)


def test_users_that_a_broken_pass_did_not_reach_are_read_by_the_next(sqlite_world: World) -> None:
    with_history(sqlite_world)
    sqlite_world.snapshot()
    sqlite_world.m3ter.seed(
        users=[{"id": f"new-{n}", "email": f"new{n}@example.org"} for n in range(250)],
    )
    # A pass that broke off after its first page.
    sqlite_world.m3ter.faults(kind="status", status=404, method="GET", path="/users$", skip=1)
    with pytest.raises(AirflowFailException):
        follow(sqlite_world)
    sqlite_world.m3ter.clear_faults()
    follow(sqlite_world)
    assert sum(email.startswith("new") for email in states(sqlite_world)) == 250


def test_access_that_was_extended_has_not_ended(sqlite_world: World) -> None:
    with_history(sqlite_world)
    sqlite_world.m3ter.seed(users=[{"email": "anna@example.org", "dtCreated": "-2000d", "dtEndAccess": "+1d"}])
    sqlite_world.snapshot()
    user = sqlite_world.db.tables.mirror_user
    with sqlite_world.db.engine.begin() as connection:  # as it was read before the extension
        ended = sqlite_world.now() - timedelta(days=1)
        connection.execute(update(user).where(user.c.email_key == "anna@example.org").values(access_ends_at=ended))

    assert follow(sqlite_world)["read_singly"] == OPEN + 1
    assert states(sqlite_world)["anna@example.org"] == InvitationState.ACCEPTED.value


def test_it_follows_while_sending_is_paused(sqlite_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    sqlite_world.hire("e1")
    sqlite_world.whole_run()
    sqlite_world.m3ter.accept("e1@example.com")
    monkeypatch.setenv(f"AIRFLOW_VAR_{PAUSE_VARIABLE.upper()}", "all")
    assert follow(sqlite_world)["accepted"] == 1


@pytest.mark.slow
def test_thousands_of_old_invitations_cost_no_requests(sqlite_world: World) -> None:
    world, old, unanswered = sqlite_world, 5_000, 100
    world.m3ter.seed(
        invitations=[
            {"email": f"old{n}@example.org", "dtCreated": f"-{1 + n % 900}d", "accepted": True} for n in range(old)
        ],
        users=[{"email": f"old{n}@example.org", "dtCreated": f"-{1 + n % 900}d"} for n in range(old)],
    )
    world.m3ter.seed(
        invitations=[
            {"id": f"open-{n}", "email": f"open{n}@example.org", "dtCreated": f"-{1 + n % 25}d"}
            for n in range(unanswered)
        ]
    )
    world.snapshot()
    assert requests_of(world) <= unanswered + 10
    world.m3ter.seed(
        invitations=[{"email": f"new{n}@example.org"} for n in range(300)],
        users=[{"email": f"joined{n}@example.org"} for n in range(300)],
    )
    for number in range(20):
        world.m3ter.accept(f"open{number}@example.org")
    before = len(world.m3ter.requests())
    counts = follow(world)
    assert len(world.m3ter.requests()) - before <= unanswered + 10  # two more pages of each list
    assert (counts["accepted"], counts["adopted"]) == (320, 300)
