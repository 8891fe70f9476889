"""One organisation of m3ter and its mirror, which reading, settling and sending share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from m3ter_onboarding.clock import utc_now
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.known_hosts import Place
from m3ter_onboarding.ledger.mirror_entries import M3terPolicy

if TYPE_CHECKING:
    from m3ter_provider.hooks.m3ter import M3terAsyncHook


@dataclass(frozen=True)
class MirroredOrganisation:
    """One organisation of m3ter and its mirror.

    :param m3ter: an open async hook.
    :param db: the ledger.
    :param settle_after: how long m3ter may take until its lists show what a POST made.
    :param full_snapshot_every: the longest time between two full passes over invitations.
    :param now: the worker's clock.
    """

    m3ter: M3terAsyncHook
    db: LedgerDatabase
    settle_after: timedelta
    full_snapshot_every: timedelta
    now: Callable[[], datetime] = utc_now

    @property
    def org_id(self) -> str:
        """m3ter's id of the organisation."""
        return str(self.m3ter.settings.org_id)

    @property
    def place(self) -> Place:
        """The organisation and the host at which the connection finds it."""
        return Place(self.org_id, str(self.m3ter.settings.base_url))


@dataclass
class LookResult:
    """The result of a look in m3ter: counts, and the permission policies where they were read.

    :param full: whether invitations were read to the end.
    :param server_time: m3ter's clock when the look began, or the worker's where m3ter gave none.
    :param ours_unknown: adopted invitations that our own service user made: a second or restored ledger.
    """

    server_time: datetime
    full: bool = False
    invitations_read: int = 0
    users_read: int = 0
    policies_read: int = 0
    adopted: int = 0
    sent: int = 0
    accepted: int = 0
    expired: int = 0
    ours_unknown: int = 0
    policies: list[M3terPolicy] = field(default_factory=list)
