"""The test of a connection inside Airflow's API server: every cause has its answer there too, and none its secret."""

from __future__ import annotations

import json
from typing import Any

import pytest

from demo.airflow_stack import AirflowStack
from m3ter_sandbox.testing import SandboxServer

pytestmark = pytest.mark.slow


def answer_of(
    airflow: AirflowStack, sandbox: SandboxServer, extras: dict[str, object] | None = None, **fields: object
) -> dict[str, Any]:
    document = json.loads(sandbox.airflow_connection(**(extras or {})))
    body = {**document, "extra": json.dumps(document["extra"]), "connection_id": "m3ter_not_stored", **fields}
    found: dict[str, Any] = airflow.api.request("POST", "/connections/test", json=body)
    text = json.dumps(found)
    for secret in (sandbox.api_secret, "a-wrong-secret-of-the-test"):
        assert secret not in text
        assert secret not in airflow.component_log("api-server")
    return found


@pytest.mark.parametrize(
    ("fields", "extras", "worked", "said"),
    [
        ({}, {}, True, "It may send invitations to any domain; none was sent now."),
        ({}, {"allow_invitations": False}, True, "It sends no invitations, because its extra allow_invitations is off"),
        ({"password": "a-wrong-secret-of-the-test"}, {}, False, "Correct login and password of the connection"),
        ({"login": "another-key"}, {}, False, "Correct login and password of the connection"),
        ({}, {"org_id": "another"}, False, "the service user of this connection into organisation another (403)"),
        ({"host": "http://127.0.0.1:1"}, {}, False, "nothing listens there"),
        ({"host": "https://m3ter.invalid"}, {}, False, "its host name cannot be looked up (DNS)"),
        ({"host": "http://api.example.com"}, {}, False, "without encryption"),
        ({"password": None}, {}, False, "This connection has no password (API secret)."),
        ({"extra": None}, {}, False, "This connection has no organisation."),
        ({}, {"requests_per_second": "many"}, False, "requests_per_second (a number from 0.1 to 1000)"),
    ],
)
def test_the_button_names_each_cause(
    airflow: AirflowStack,
    m3ter_sandbox: SandboxServer,
    fields: dict[str, object],
    extras: dict[str, object],
    worked: bool,
    said: str,
) -> None:
    found = answer_of(airflow, m3ter_sandbox, extras, **fields)
    assert said in found["message"]
    assert found["status"] is worked
    assert m3ter_sandbox.emails() == {}


@pytest.mark.parametrize(
    ("switches", "worked", "said"),
    [
        ({"may_invite": False}, False, "m3ter does not let the service user create invitations (403)"),
        ({"unreadable": ["users"]}, False, "The service user may not read users (403)"),
        ({"may_read": False}, False, "The service user may not read invitations, users and permission policies (403)"),
    ],
)
def test_the_button_names_each_right(
    airflow: AirflowStack, m3ter_sandbox: SandboxServer, switches: dict[str, object], worked: bool, said: str
) -> None:
    m3ter_sandbox.switches(**switches)
    found = answer_of(airflow, m3ter_sandbox)
    assert said in found["message"]
    assert found["status"] is worked


def test_a_stored_connection_is_tested_with_its_secret(airflow: AirflowStack, m3ter_sandbox: SandboxServer) -> None:
    """Its row is decrypted by the API server; the page only has three stars."""
    document = json.loads(m3ter_sandbox.airflow_connection(allow_invitations=False))
    airflow.api.set_connection("m3ter_stored", **{**document, "extra": json.dumps(document["extra"])})
    body = {"connection_id": "m3ter_stored", "conn_type": "m3ter"}
    found = airflow.api.request("POST", "/connections/test", json=body)
    assert found["status"], found["message"]
    assert m3ter_sandbox.api_secret not in json.dumps(airflow.api.request("GET", "/connections/m3ter_stored"))
