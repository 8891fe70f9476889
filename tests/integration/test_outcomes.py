"""m3ter's part in the outcome of a whole run: lost answers, refusals, short-lived tokens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.airflow_organisation import LAST_NAME, Organisation
from tests.support.airflow_scenarios import AirflowScenario, RunningScenarios, cases, running_scenarios
from tests.support.databases import POSTGRESQL, SQLITE

pytestmark = pytest.mark.slow

CREATE: dict[str, Any] = {"operation": "CreateOrgUserInvitation"}


def answers_lost(org: Organisation) -> None:
    """m3ter makes the invitation and answers 504, resets or hangs: 5% of POSTs each. And twice it makes none."""
    lost: tuple[dict[str, Any], ...] = ({"kind": "status", "status": 504}, {"kind": "reset"}, {"kind": "hang"})
    for seed, fault in enumerate(lost):
        org.m3ter.faults(**CREATE, **fault, when="after", probability=0.05, seed=seed)
    org.m3ter.faults(**CREATE, kind="drop", when="before", skip=20, count=2)
    people = org.hire(200)
    run_id = org.run_once()
    hits = [fault["hits"] for fault in org.m3ter.active_faults()]
    assert min(hits) > 0
    assert hits[-1] == 2
    assert len(org.posts()) == len(people) + 2
    org.assert_once(people)
    assert org.report(run_id)["invitations"] == {"sent": len(people)}


def refused(org: Organisation) -> None:
    """m3ter refuses one person: the others are sent, the run is failed, and the same content is not tried again."""
    people = org.hire(10)
    org.m3ter.faults(**CREATE, kind="status", status=400, message=f"{people[3]} is blocked", email=people[3])
    run_id = org.trigger()
    org.fails(run_id)
    org.assert_state(run_id, "send", "success")
    report = org.report(run_id)
    assert report["invitations"] == {"sent": 9, "failed": 1}
    assert report["outcome"] == org.run_row(run_id)["outcome"] == "failed"
    org.assert_logged(run_id, "report", "1 invitation(s) were refused")
    org.fails(org.trigger())
    assert len(org.posts()) == 10
    org.m3ter.clear_faults()
    org.correct(last_name=f"{LAST_NAME}-Corrected")
    org.run_once()
    assert len(org.posts()) == 11
    org.assert_once(people)


def send_fails(org: Organisation) -> None:
    """The right to invite is taken away in mid-send: failed at the next try, reported, and the next run goes on."""
    people = org.hire(30)
    org.m3ter.faults(**CREATE, kind="status", status=403, message="Forbidden", skip=10)
    run_id = org.trigger()
    org.fails(run_id)
    assert org.states(run_id) == {
        "snapshot": "success",
        "plan": "success",
        "approve": "skipped",
        **dict.fromkeys(("send", "report"), "failed"),
    }
    assert org.tries(run_id, "send") == 2, (
        "the first had sent ten, so perhaps it passes; the second knows of no such right"
    )
    org.assert_logged(run_id, "send", "though it allowed as much before")
    org.assert_logged(run_id, "send", "but not create invitations in it (403)")
    row, report, log = org.run_row(run_id), org.report(run_id), org.log(run_id, "report")
    assert row["outcome"] == report["outcome"] == "failed"
    assert row["finished_at"] is not None
    assert report["invitations"]["sent"] == len(org.m3ter.emails())
    assert sum(report["decisions"].values()) == report["rows"] == 30
    assert "invitation(s) of the plan were not sent; the next run sends them" in log
    org.m3ter.clear_faults()
    org.run_once(day=1)
    org.assert_once(people)


def every_try_fails(org: Organisation) -> None:
    """m3ter is down for longer than the retries: a failed run with a report, and nobody is lost."""
    people = org.hire(5)
    org.m3ter.faults(**CREATE, kind="status", status=500, when="before")
    run_id = org.trigger()
    org.fails(run_id)
    assert org.report(run_id)["outcome"] == org.run_row(run_id)["outcome"] == "failed"
    assert org.m3ter.emails() == {}
    org.m3ter.clear_faults()
    org.correct(last_name=f"{LAST_NAME}-Corrected")  # twice without an answer is final for that content
    org.run_once(day=1)
    org.assert_once(people)


def one_token_a_process(org: Organisation) -> None:
    """At most one token request in each task process that calls m3ter; ``plan`` and ``report`` call it not at all."""
    people = org.hire(20)
    run_id = org.run_once()
    assert [org.tries(run_id, task_id) for task_id in ("snapshot", "plan", "send", "report")] == [1, 1, 1, 1]
    assert org.m3ter.counts()["token_requests"] == 2
    org.assert_once(people)


def tokens_of_two_seconds(org: Organisation) -> None:
    """Tokens that expire in mid-send cost nobody an invitation, and no more requests than they must."""
    people = org.hire(60)
    run_id = org.run_once()
    assert org.tries(run_id, "send") == 1
    times = [request["time"] for request in org.m3ter.requests()]
    counts = org.m3ter.counts()
    assert counts["token_requests"] > 3
    assert counts["token_requests"] <= 2 * (times[-1] - times[0])
    assert org.report(run_id)["invitations"] == {"sent": len(people)}
    org.assert_once(people)


def keeps_to_the_limit(org: Organisation) -> None:
    """With the sandbox's limit and the setting at 50 a second nobody is turned away."""
    people = org.hire(120)
    org.run_once()
    assert org.m3ter.counts()["rate_limited"] == 0
    org.assert_once(people)


SCENARIOS = {
    "answers lost": AirflowScenario(answers_lost, made_with={"extra": {"requests_per_second": 50}}),
    "refused": AirflowScenario(refused, (SQLITE,)),
    "send fails": AirflowScenario(send_fails),
    "every try fails": AirflowScenario(
        every_try_fails,
        (POSTGRESQL,),
        {"values": {"dag": {"default_args": {"retries": 2, "retry_delay": "1s"}}}},
    ),
    "one token a process": AirflowScenario(one_token_a_process, (SQLITE,)),
    "tokens of two seconds": AirflowScenario(tokens_of_two_seconds, made_with={"token_lifetime_seconds": 2}),
    "keeps to the limit": AirflowScenario(
        keeps_to_the_limit, (POSTGRESQL,), {"extra": {"requests_per_second": 50}, "requests_per_second": 50}
    ),
}


@pytest.fixture(scope="module")
def begun(request: pytest.FixtureRequest) -> Iterator[RunningScenarios]:
    """Begin every scenario."""
    with running_scenarios(SCENARIOS, request) as scenarios:
        yield scenarios


@pytest.mark.parametrize(("name", "ledger"), cases(SCENARIOS))
def test_a_run_ends_as_m3ters_answers_say(name: str, ledger: str, begun: RunningScenarios) -> None:
    begun.result(name, ledger)
