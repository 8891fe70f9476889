"""The deferrable sensor and its trigger: what Airflow keeps of it, and how the task ends."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, TaskDeferred

from m3ter_provider.errors import M3terError
from m3ter_provider.get_provider_info import get_provider_info
from m3ter_provider.sensors.invitation import M3terInvitationAcceptedSensor
from m3ter_provider.triggers.invitation import M3terInvitationAcceptedTrigger

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


def sensor(invitation_id: str | None, **arguments: Any) -> M3terInvitationAcceptedSensor:
    return M3terInvitationAcceptedSensor(
        task_id="accepted", invitation_id=invitation_id, deferrable=True, poke_interval=0.05, **arguments
    )


def deferred(invitation_id: str) -> TaskDeferred:
    with pytest.raises(TaskDeferred) as raised:
        sensor(invitation_id).execute({})
    return raised.value


def again(trigger: M3terInvitationAcceptedTrigger) -> M3terInvitationAcceptedTrigger:
    """Return the trigger as a triggerer makes it after a restart, from what Airflow has kept."""
    from airflow.models.trigger import Trigger

    path, kwargs = trigger.serialize()
    kept = Trigger(classpath=path, kwargs=kwargs)
    assert path == f"{M3terInvitationAcceptedTrigger.__module__}.M3terInvitationAcceptedTrigger"
    return M3terInvitationAcceptedTrigger(**kept.kwargs)


async def first_event(trigger: M3terInvitationAcceptedTrigger) -> Any:
    async for event in trigger.run():
        return event.payload
    raise AssertionError("no event")


def test_the_triggerer_waits_and_the_task_succeeds(sandbox: SandboxServer) -> None:
    deferral = deferred(invited(sandbox))
    assert deferral.timeout is not None
    assert deferral.timeout > timedelta(days=30)
    sandbox.accept(ADDRESS)
    trigger: Any = deferral.trigger
    event = asyncio.run(asyncio.wait_for(first_event(again(trigger)), 10))
    sensor(trigger.invitation_id).resume_execution(deferral.method_name, {"event": event}, {})
    assert {request["method"] for request in sandbox.requests() if request["path"] != "/oauth/token"} == {"GET"}


def test_what_airflow_keeps_of_it_holds_no_person_and_goes_on_after_a_restart(sandbox: SandboxServer) -> None:
    trigger: Any = deferred(invited(sandbox)).trigger
    restarted = again(trigger)
    assert restarted.serialize() == trigger.serialize()
    assert set(trigger.serialize()[1]) == {"invitation_id", "m3ter_conn_id", "poll_interval", "not_before"}
    assert ADDRESS not in repr(restarted)
    assert restarted.not_before <= datetime.now(timezone.utc) + timedelta(seconds=1)


@pytest.mark.parametrize("invitation_id", [None, "", "None"])
def test_a_member_without_an_invitation_is_not_waited_for(sandbox: SandboxServer, invitation_id: str | None) -> None:
    sensor(invitation_id).execute({})
    assert sandbox.counts()["total"] == 0


def test_an_accepted_one_needs_no_triggerer(sandbox: SandboxServer) -> None:
    sensor(invited(sandbox, accepted=True)).execute({})


def test_an_expired_one_ends_the_waiting(sandbox: SandboxServer) -> None:
    event = {"what": "expired", "message": ""}
    with pytest.raises(AirflowFailException, match="Invitation 7 has expired"):
        sensor("7").execute_complete({}, event)
    with pytest.raises(AirflowSkipException, match="has expired"):
        sensor("7", if_expired="skip").execute_complete({}, event)


def test_what_a_person_must_mend_fails_for_good_and_the_rest_is_left_to_retries() -> None:
    with pytest.raises(AirflowFailException, match="login"):
        sensor("7").execute_complete({}, {"what": "failed", "message": "Correct login"})
    for what in ("missing", "unreachable"):
        with pytest.raises(M3terError, match="no such"):
            sensor("7").execute_complete({}, {"what": what, "message": "no such"})


def test_airflows_setting_decides_where_the_dag_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    with DAG("waiting", schedule=None):
        assert not M3terInvitationAcceptedSensor(task_id="by_default", invitation_id="1").deferrable
        monkeypatch.setenv("AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE", "True")
        assert M3terInvitationAcceptedSensor(task_id="by_setting", invitation_id="1").deferrable
        assert not M3terInvitationAcceptedSensor(task_id="off", invitation_id="1", deferrable=False).deferrable


def test_airflow_knows_the_trigger() -> None:
    (triggers,) = get_provider_info()["triggers"]
    assert triggers["python-modules"] == [M3terInvitationAcceptedTrigger.__module__]
