"""Fixtures for the provider: both hooks, on the sandbox or on a scripted server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import Connection

from m3ter_provider.process_state import forget_all
from tests.support.hook_clients import Client, connection_to
from tests.support.scripted_server import ScriptedServer

if TYPE_CHECKING:
    from m3ter_sandbox.testing import SandboxServer


@pytest.fixture(autouse=True)
def _nothing_shared() -> Iterator[None]:
    forget_all()
    yield
    forget_all()


@pytest.fixture(params=["sync", "async"])
def kind(request: pytest.FixtureRequest) -> str:
    """Which of the two hooks."""
    return str(request.param)


@pytest.fixture
def client_of(kind: str) -> Callable[..., Client]:
    """Return a client of a scripted server."""

    def made(server: ScriptedServer, **extra: Any) -> Client:
        return Client(kind, connection_to(server.url, **extra))

    return made


@pytest.fixture
def sandbox_client(kind: str, m3ter_sandbox: SandboxServer) -> Callable[..., Client]:
    """Return a client of the sandbox, which limits no rate unless the test says so."""
    m3ter_sandbox.switches(requests_per_second=0)

    def made(**extra: Any) -> Client:
        document = m3ter_sandbox.airflow_connection(requests_per_second=500, **extra)
        return Client(kind, Connection.from_json(document, conn_id="m3ter_test"))

    return made
