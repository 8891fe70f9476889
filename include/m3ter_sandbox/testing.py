"""The sandbox in tests: a server in a process of its own, steered over HTTP.

>>> with SandboxServer() as m3ter:                                                     # doctest: +SKIP
...     m3ter.faults(kind="status", status=504, when="after", count=1)
...     invite_everybody(m3ter.url)
...     assert m3ter.emails() == {"ada@example.com": 1}

A process, not a thread: time that a test freezes does not stop it, a forked client does not copy it, and a client that
is measured does not share an interpreter with it. It ends with its context manager, and with the process that began it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Sequence
from types import TracebackType
from typing import IO, Any, cast

__all__ = ["SandboxError", "SandboxServer"]

# Spelled out, since the application's own module brings in a web framework; a test holds the two together.
ORG_ID = "5a9d0b0c-0000-4000-8000-00000000a5b0"
ACCESS_KEY_ID = "sandbox-access-key-id"
API_SECRET = "sandbox-only-7f3c9e51d2a84b06"  # noqa: S105 - opens nothing but a sandbox

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class SandboxError(Exception):
    """The sandbox did not start, or refused what a test asked of it; the text is the sandbox's own."""


class SandboxServer:
    """A running sandbox.

    :param database: file that keeps everything over :meth:`stop` and :meth:`start`; None keeps it in memory.
    :param switches: switches at the beginning and after :meth:`reset`, e.g. ``requests_per_second=0``.
    """

    def __init__(
        self,
        *,
        org_id: str = ORG_ID,
        access_key_id: str = ACCESS_KEY_ID,
        api_secret: str = API_SECRET,
        database: str | os.PathLike[str] | None = None,
        **switches: object,
    ) -> None:
        self.org_id, self.access_key_id, self.api_secret = org_id, access_key_id, api_secret
        self._database, self._switches = database, switches
        self._process: subprocess.Popen[str] | None = None
        self._errors: IO[str] | None = None
        self._port = 0
        self.url = ""

    def __enter__(self) -> SandboxServer:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End it."""
        self.stop()

    def start(self) -> None:
        """Start the process and wait until it answers; after :meth:`stop` it listens at the same port.

        :raises SandboxError: it did not start.
        """
        command = [sys.executable, "-m", "m3ter_sandbox", "--port", str(self._port), "--until-stdin-closes"]
        if self._database is not None:
            command += ["--database", os.fspath(self._database)]
        for name, value in self._switches.items():
            command += ["--switch", f"{name}={json.dumps(value)}"]
        # By the environment: a command line can be read by every user of the machine.
        environment = {
            **os.environ,
            "M3TER_SANDBOX_ORG_ID": self.org_id,
            "M3TER_SANDBOX_ACCESS_KEY_ID": self.access_key_id,
            "M3TER_SANDBOX_API_SECRET": self.api_secret,
        }
        # A file, since nobody reads a pipe while tests run.
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - closed by _ended
        process = subprocess.Popen(  # noqa: S603 - this interpreter and our own module
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=environment,
            start_new_session=True,
        )
        self._process = process
        line = process.stdout.readline() if process.stdout else ""
        found = re.search(r"http://\S+:(\d+)", line)
        if not found:
            self._process = None
            process.kill()
            process.communicate()
            raise SandboxError(f"The sandbox did not start: {self._ended() or line.strip() or 'no output'}")
        self.url, self._port = found[0], int(found[1])

    def stop(self) -> None:
        """End the process; connections to it are refused from now on."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        if errors := self._ended():
            print(errors, file=sys.stderr)

    def _ended(self) -> str:
        """Return what the process wrote to its standard error."""
        errors, self._errors = self._errors, None
        if errors is None:
            return ""
        with errors:
            errors.seek(0)
            return errors.read().strip()

    def kill(self) -> None:
        """End the process as a power cut does (SIGKILL)."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()
            self._ended()

    @property
    def pid(self) -> int | None:
        """The process, if it runs."""
        return self._process.pid if self._process else None

    def airflow_connection(self, **extra: object) -> str:
        """Return an Airflow connection to this sandbox as JSON, for ``AIRFLOW_CONN_…``.

        It may send (``allow_invitations``), unless ``extra`` says otherwise.
        """
        return json.dumps(
            {
                "conn_type": "m3ter",
                "host": self.url,
                "login": self.access_key_id,
                "password": self.api_secret,
                "extra": {"org_id": self.org_id, "allow_invitations": True, **extra},
            }
        )

    def _call(self, method: str, path: str, content: object = None) -> Any:
        body = None if content is None else json.dumps(content).encode()
        headers = {"Content-Type": "application/json"} if body else {}
        request = urllib.request.Request(  # noqa: S310 - our own server
            f"{self.url}/_sandbox/{path}", body, headers, method=method
        )
        try:
            with _DIRECT.open(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            text = error.read().decode(errors="replace")
            raise SandboxError(f"{method} /_sandbox/{path} was refused ({error.code}): {text}") from None

    def emails(self, kind: str = "invitation") -> dict[str, int]:
        """Return how many e-mails were sent to each address, as m3ter received it, case-folded.

        :param kind: ``invitation``, or ``temporary_password``.
        """
        return cast("dict[str, int]", self._call("GET", f"emails?kind={kind}"))

    def mailbox(self) -> list[dict[str, Any]]:
        """Return every e-mail, oldest first: ``to``, ``subject``, ``sentAt``, ``invitationId``, ``link``, ``state``."""
        return cast("list[dict[str, Any]]", self._call("GET", "mailbox"))

    def counts(self) -> dict[str, Any]:
        """Return ``total``, ``requests`` (by method and path), ``statuses``, ``answers`` (both), ``token_requests``, ….

        ``rate_limited`` counts the answers of 429, ``emails`` the e-mails.
        """
        return cast("dict[str, Any]", self._call("GET", "counts"))

    def posts(self) -> int:
        """Return how many POSTs of invitations m3ter received."""
        return int(self.counts()["requests"].get("POST /organizations/{orgId}/invitations", 0))

    def requests(self) -> list[dict[str, Any]]:
        """Return the requests, oldest first: ``time``, ``method``, ``path``, ``kind``, ``status``, ``outcome``, …."""
        return cast("list[dict[str, Any]]", self._call("GET", "requests"))

    def invitations(self) -> list[dict[str, Any]]:
        """Return all invitations that m3ter holds, newest first, also those that its lists hide."""
        return cast("list[dict[str, Any]]", self._call("GET", "invitations"))

    def users(self) -> list[dict[str, Any]]:
        """Return all users that m3ter holds, newest first, also those that its lists hide."""
        return cast("list[dict[str, Any]]", self._call("GET", "users"))

    def totals(self) -> dict[str, Any]:
        """Return how many ``invitations``, ``users``, ``policies`` and ``emails`` there are."""
        return cast("dict[str, Any]", self._call("GET", "health"))

    def faults(self, **spec: object) -> int:
        """Switch a fault on (see ``docs/sandbox.md``), e.g. ``kind="reset", when="after", probability=0.05, seed=1``.

        :returns: its number.
        """
        return int(self._call("POST", "faults", spec)["id"])

    def active_faults(self) -> list[dict[str, Any]]:
        """Return the faults that are on, each with how often it ``matched`` and how often it ``hits``."""
        return cast("list[dict[str, Any]]", self._call("GET", "faults"))

    def clear_faults(self, number: int | None = None) -> None:
        """Switch off one fault, or all."""
        self._call("DELETE", "faults" if number is None else f"faults/{number}")

    def switches(self, **changes: object) -> dict[str, Any]:
        """Change switches (see ``docs/sandbox.md``) and return all of them."""
        return cast("dict[str, Any]", self._call("PATCH", "switches", changes))

    def seed(
        self,
        *,
        invitations: Sequence[dict[str, Any]] = (),
        users: Sequence[dict[str, Any]] = (),
        policies: Sequence[dict[str, Any]] = (),
    ) -> dict[str, list[str]]:
        """Put entries into m3ter, oldest first, with the fields of its answers; no e-mail is sent.

        Dates may be relative, e.g. ``dtCreated="-45d"``.

        :returns: the ids by list.
        """
        content = {"invitations": list(invitations), "users": list(users), "policies": list(policies)}
        return cast("dict[str, list[str]]", self._call("POST", "seed", content))

    def accept(self, email: str) -> dict[str, Any]:
        """Accept the newest open invitation to an address and return the user."""
        return cast("dict[str, Any]", self._call("POST", "accept", {"email": email}))

    def expire(self, email: str) -> int:
        """End all open invitations to an address now and return how many."""
        return int(self._call("POST", "expire", {"email": email})["expired"])

    def revoke_tokens(self) -> int:
        """End all access tokens and return how many."""
        return int(self._call("POST", "revoke_tokens", {})["revoked"])

    def advance(self, seconds: float) -> None:
        """Move m3ter's own time: tokens and invitations expire; the rate limits do not notice."""
        self._call("POST", "clock", {"advance": seconds})

    def reset(self) -> None:
        """Return to the beginning: nothing held, no faults, the switches as at the start."""
        self._call("POST", "reset", {})
