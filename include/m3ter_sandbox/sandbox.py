"""The sandbox as a whole: its parts put together, behind one gate."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from m3ter_sandbox.api import Api
from m3ter_sandbox.clock import Clock
from m3ter_sandbox.connections import Connections
from m3ter_sandbox.gate import Gate
from m3ter_sandbox.organization import Organization
from m3ter_sandbox.seed import plant
from m3ter_sandbox.store import Store
from m3ter_sandbox.switches import Switches
from m3ter_sandbox.tokens import Credentials, Tokens

__all__ = ["DEFAULT_CREDENTIALS", "Sandbox", "Setup"]

# Known to everybody: they open nothing but a sandbox.
DEFAULT_CREDENTIALS = Credentials(
    org_id="5a9d0b0c-0000-4000-8000-00000000a5b0",
    access_key_id="sandbox-access-key-id",
    api_secret="sandbox-only-7f3c9e51d2a84b06",  # noqa: S106
)


@dataclass(frozen=True)
class Setup:
    """How a sandbox begins.

    :param database: file that keeps everything; None keeps it in memory.
    :param switches: changes to the default switches, at the beginning and after a reset; they go before those that a
        database has kept.
    :param seed: a starting state for a database that is new (see :mod:`m3ter_sandbox.seed`), planted again by a reset.
    :param random_seed: makes ids and shuffled pages repeatable.
    """

    credentials: Credentials = DEFAULT_CREDENTIALS
    database: str | None = None
    switches: Mapping[str, object] = field(default_factory=dict)
    seed: Mapping[str, object] = field(default_factory=dict)
    random_seed: int | None = None


class Sandbox:
    """A local m3ter without a server.

    :param clock: injected by tests.
    :param sleep: injected by tests.
    :raises StoreError: the database file cannot be used.
    :raises SeedError: the starting state cannot be read.
    """

    def __init__(
        self,
        setup: Setup | None = None,
        *,
        clock: Clock | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.setup = setup = setup or Setup()
        self.clock = clock or Clock()
        self.store = Store(setup.database)
        org_id = setup.credentials.org_id
        self.organization = Organization(self.store, self.clock, org_id, setup.random_seed)
        self.tokens = Tokens(self.store, self.clock, setup.credentials)
        self.connections = Connections()
        try:
            self._begin()
        except BaseException:
            self.store.close()
            raise
        self.gate = Gate(
            Api(self.organization, self.tokens, lambda: self.switches),
            org_id=org_id,
            tokens=self.tokens,
            clock=self.clock,
            switches=lambda: self.switches,
            connections=self.connections,
            sleep=sleep,
        )

    def _begin(self) -> None:
        kept = self.store.setting("switches")
        self.clock.shift = float(self.store.setting("shift") or 0)
        self.switches = Switches().changed({**(kept or {}), **self.setup.switches})
        is_new = self.store.setting("since") is None
        self.organization.found()
        if is_new and self.setup.seed:
            self.seed(self.setup.seed)

    def seed(self, content: Mapping[str, object]) -> dict[str, list[str]]:
        """Plant a starting state; return the ids by list."""
        return plant(content, self.store, self.organization.entries, self.clock)

    def switch(self, changes: dict[str, object]) -> None:
        """Change switches, and keep the change in the database.

        :raises pydantic.ValidationError: a name or a value that does not exist.
        """
        self.switches = self.switches.changed(changes)
        kept = {**(self.store.setting("switches") or {}), **changes}
        self.store.keep_setting("switches", kept)

    def shift(self, seconds: float) -> None:
        """Move m3ter's own time; the rate limits go by the steady clock and do not notice."""
        self.clock.shift += seconds
        self.store.keep_setting("shift", self.clock.shift)

    def reset(self) -> None:
        """Return to the beginning: as started with an empty database."""
        self.store.clear()
        self.gate.reset()
        self._begin()

    def close(self) -> None:
        """Close the database."""
        self.store.close()
