"""The steps of ``docs/recipes.md`` for an invitation of which it is not certain whether it was sent."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.support.world import World

PAGE = Path(__file__).parent.parent.parent / "docs" / "recipes.md"
(RECIPE,) = re.findall(r"^```sql\n(UPDATE .*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def in_review(world: World, email: str) -> None:
    """Let a sender die in mid-send, so long ago that looking proves nothing."""
    world.hire("e1", email=email)
    world.snapshot()
    world.claim(world.plan("dead"), "dead")
    world.pass_time(31 * 86400)
    world.snapshot()
    assert world.states()[email] == "review"


def decide(world: World, email: str, state: str) -> None:
    """Do as the page says."""
    (row,) = [row for row in world.invitations().values() if row["email"] == email]
    recipe = RECIPE.replace("17", str(row["invitation_id"])).replace("'unsent'", f"'{state}'")
    with world.db.engine.begin() as connection:
        for statement in filter(str.strip, recipe.split(";")):
            assert connection.execute(text(statement)).rowcount == 1


def test_certainly_not_sent_is_sent_by_the_next_run(world: World) -> None:
    in_review(world, "e1@example.com")
    decide(world, "e1@example.com", "unsent")
    plan = world.plan("next")
    assert world.decisions(plan) == {"e1": "invite:new"}
    world.send(plan, "next")
    assert world.emails() == {"e1@example.com": 1}
    assert world.states()["e1@example.com"] == "sent"


def test_sent_under_another_address_is_not_sent_again(world: World) -> None:
    in_review(world, "e1+work@example.com")
    world.arrive("e1@example.com")
    world.correct("e1", email="e1@example.com")
    decide(world, "e1+work@example.com", "superseded")
    world.snapshot()
    plan = world.plan("next")
    assert world.decisions(plan) == {"e1": "skip:already_invited"}
    world.send(plan, "next")
    assert world.posts() == 0


@pytest.mark.parametrize("state", ["unsent", "superseded"])
def test_the_event_says_that_it_was_a_person(world: World, state: str) -> None:
    in_review(world, "e1@example.com")
    decide(world, "e1@example.com", state)
    assert world.events("e1")[-1][:2] == ("review", state)
    assert world.events("e1")[-1][2] == "decided"
