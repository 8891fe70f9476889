"""The task of one client process."""

from __future__ import annotations

import json
from dataclasses import dataclass

ORG_ID = "5a9d0b0c-0000-4000-8000-00000000a5b0"
KEY, SECRET = "sandbox-access-key-id", "sandbox-only-7f3c9e51d2a84b06"
#: Invitations under way at once, of every peer that can do more than one.
AT_ONCE = 16


@dataclass(frozen=True)
class Work:
    """What a process has to do.

    :param peer: who does it.
    :param url: of the server.
    :param people: how many invitations.
    :param limit: requests a second that the server allows; 0: any number.
    :param database: the ledger's, as Airflow's connection in JSON; empty: none is needed.
    :param plan_id: the plan to send; empty: none.
    """

    peer: str
    url: str
    people: int
    limit: int = 0
    database: str = ""
    plan_id: str = ""

    def emails(self) -> list[str]:
        """Return the addresses."""
        return [f"person-{number}@example.com" for number in range(self.people)]

    @property
    def invitations_url(self) -> str:
        """Where invitations are POSTed to."""
        return f"{self.url}/organizations/{ORG_ID}/invitations"

    def connection(self) -> str:
        """Return our Airflow connection, as JSON; 1,000 requests a second is the most that it can be set to."""
        extra = {"org_id": ORG_ID, "allow_invitations": True, "requests_per_second": self.limit or 1000}
        return json.dumps({"conn_type": "m3ter", "host": self.url, "login": KEY, "password": SECRET, "extra": extra})


def body_of(email: str) -> dict[str, str]:
    """Return the body of one POST."""
    return {"email": email, "firstName": "New", "lastName": "Hire"}
