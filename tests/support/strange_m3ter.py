"""A m3ter that answers with whatever a test gives it, and an organisation of a ledger that asks it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from airflow.sdk import Connection

from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_sandbox.testing import SandboxServer
from tests.support.hook_clients import connection_to
from tests.support.scripted_server import Received, ScriptedServer, answer
from tests.support.world import World

ORG_ID = "org-1"


@dataclass
class StrangeWorld(World):
    """An organisation whose m3ter is a scripted server."""

    url: str = ""

    def connection(self, **extra: Any) -> Connection:
        """Return the Airflow connection to the server."""
        return connection_to(self.url, org_id=ORG_ID, timeout_seconds=2, **extra)


@dataclass
class StrangeAnswers:
    """What m3ter answers from now on: the entries of its lists, ``users/me``, and the answer to a POST.

    :param lists: by the last part of the path.
    :param post: makes the answer of the request's body; None: an ordinary one.
    :param server_time: the ``Date`` header; None: there is none.
    """

    lists: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    me: Any = field(default_factory=dict)
    post: Callable[[dict[str, Any]], bytes] | None = None
    server_time: str | None = None
    posts: list[str] = field(default_factory=list)

    def answer_get(self, request: Received) -> bytes:
        """Answer a reading."""
        path = request.path.partition("?")[0]
        headers = {} if self.server_time is None else {"Date": self.server_time}
        if path.endswith("/users/me"):
            return answer(200, self.me, **headers)
        return answer(200, {"data": list(self.lists.get(path.rsplit("/", 1)[-1], ()))}, **headers)

    def answer_post(self, request: Received) -> bytes:
        """Answer a POST of an invitation."""
        body = json.loads(request.body)
        self.posts.append(body["email"])
        if self.post is not None:
            return self.post(body)
        return answer(200, {"id": f"inv-{len(self.posts)}", "email": body["email"]})


@contextmanager
def strange_world(db: LedgerDatabase, conn_id: str) -> Iterator[tuple[StrangeWorld, StrangeAnswers]]:
    """Let an organisation with an empty m3ter use a ledger.

    :param conn_id: the Airflow connection of ledger and warehouse.
    """
    answers = StrangeAnswers()
    sandbox: SandboxServer = SimpleNamespace(org_id=ORG_ID)  # type: ignore[assignment]  # nothing else is asked of it
    with ScriptedServer(post=answers.answer_post, get=answers.answer_get) as server:
        yield StrangeWorld(m3ter=sandbox, db=db, warehouse_conn_id=conn_id, url=server.url), answers
