"""Waiting for somebody to accept: how it ends, and that nothing is sent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException, AirflowRescheduleException, AirflowSkipException

from m3ter_provider.errors import M3terNotFoundError
from m3ter_provider.get_provider_info import get_provider_info
from m3ter_provider.sensors.invitation import M3terInvitationAcceptedSensor

if TYPE_CHECKING:
    from m3ter_sandbox.testing import SandboxServer

ADDRESS = "ann.example@example.com"


@pytest.fixture
def sandbox(m3ter_sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> SandboxServer:
    m3ter_sandbox.switches(requests_per_second=0)
    connection = m3ter_sandbox.airflow_connection(requests_per_second=500, allow_invitations=False)
    monkeypatch.setenv("AIRFLOW_CONN_M3TER_DEFAULT", connection)
    return m3ter_sandbox


def invited(sandbox: SandboxServer, **fields: Any) -> str:
    return sandbox.seed(invitations=[{"email": ADDRESS, **fields}])["invitations"][0]


def look(invitation_id: str | None, **arguments: Any) -> bool:
    sensor = M3terInvitationAcceptedSensor(task_id="accepted", invitation_id=invitation_id, **arguments)
    return sensor.poke({})


def test_the_sensor_waits_until_the_invitation_is_accepted(sandbox: SandboxServer) -> None:
    invitation_id = invited(sandbox)
    assert not look(invitation_id)
    sandbox.accept(ADDRESS)
    assert look(invitation_id)
    assert {request["method"] for request in sandbox.requests() if request["path"] != "/oauth/token"} == {"GET"}


@pytest.mark.parametrize("how", [{"dtExpiry": "-1h"}, {"dtCreated": "-31d"}])
def test_an_expired_one_ends_the_waiting(sandbox: SandboxServer, how: dict[str, str]) -> None:
    invitation_id = invited(sandbox, **how)
    with pytest.raises(AirflowFailException, match="has expired") as error:
        look(invitation_id)
    assert ADDRESS not in str(error.value)
    with pytest.raises(AirflowSkipException, match="has expired"):
        look(invitation_id, if_expired="skip")


def test_an_expired_one_that_was_accepted_is_accepted(sandbox: SandboxServer) -> None:
    assert look(invited(sandbox, dtExpiry="-1h", accepted=True))


def test_one_that_expired_this_minute_may_have_been_accepted_in_it(sandbox: SandboxServer) -> None:
    assert not look(invited(sandbox, dtExpiry="-1m"))


@pytest.mark.parametrize("nobody", [None, "", "None"])
def test_a_member_without_an_invitation_is_not_waited_for(sandbox: SandboxServer, nobody: str | None) -> None:
    assert look(nobody)
    assert sandbox.counts()["total"] == 0


def test_an_unknown_one_is_left_to_airflows_retry(sandbox: SandboxServer) -> None:
    with pytest.raises(M3terNotFoundError):
        look("no-such-invitation")


def test_a_sensor_that_cannot_succeed_fails_at_once(sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> None:
    document = json.loads(sandbox.airflow_connection())
    monkeypatch.setenv("AIRFLOW_CONN_M3TER_OTHER", json.dumps({**document, "extra": {"org_id": "another"}}))
    with pytest.raises(AirflowFailException, match="org_id"):
        look(invited(sandbox), m3ter_conn_id="m3ter_other")
    monkeypatch.setenv("AIRFLOW_CONN_M3TER_OTHER", json.dumps({**document, "login": ""}))
    with pytest.raises(AirflowFailException, match="login"):
        look("1", m3ter_conn_id="m3ter_other")


class Task:
    """The part of a task instance that a sensor uses."""

    try_number, map_index, max_tries, task = 1, -1, 0, None

    def get_first_reschedule_date(self, context: Any) -> None:
        return None


def test_gives_its_worker_back_between_two_looks(sandbox: SandboxServer) -> None:
    invitation_id = invited(sandbox)
    with DAG("waiting", schedule=None, default_args={"poke_interval": 60}):
        sensor = M3terInvitationAcceptedSensor(task_id="accepted", invitation_id="{{ params.id }}")
        in_the_worker = M3terInvitationAcceptedSensor(
            task_id="in_the_worker", invitation_id="1", mode="poke", poke_interval=5, timeout=7
        )
    assert sensor.reschedule
    assert (in_the_worker.reschedule, in_the_worker.poke_interval, in_the_worker.timeout) == (False, 5, 7)
    assert sensor.poke_interval == 60
    assert sensor.timeout > 30 * 86400
    surroundings: Any = {"ti": Task(), "params": {"id": invitation_id}}
    sensor.render_template_fields(surroundings)
    with pytest.raises(AirflowRescheduleException):
        sensor.execute(surroundings)
    sandbox.accept(ADDRESS)
    sensor.execute(surroundings)


def test_airflow_knows_the_sensor() -> None:
    (sensors,) = get_provider_info()["sensors"]
    assert sensors["python-modules"] == [M3terInvitationAcceptedSensor.__module__]
