"""Step one: mirror what m3ter holds into the ledger's database, and adopt what the ledger did not know.

Invitations first, then users, then policies (docs/delivery.md, rules 1 to 3). Someone who accepts between two of
these readings is then seen twice, never not at all. The ledger is worked on in threads: the same code looks again while
POSTs are under way, and a slow database must not make their answers late.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from m3ter_onboarding.known import InvitationState
from m3ter_onboarding.ledger import matching, mirror
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.matching import Match
from m3ter_onboarding.ledger.mirror import Kind
from m3ter_onboarding.ledger.outcomes import Outcome, record_ended_access, record_found
from m3ter_provider.errors import M3terStatusError
from m3ter_provider.models import Invitation, Page

if TYPE_CHECKING:
    from m3ter_provider.hooks.m3ter import M3terAsyncHook

_UNANSWERED = (InvitationState.SENDING, InvitationState.UNKNOWN, InvitationState.REVIEW)

log = logging.getLogger(__name__)

#: How much earlier than expected an entry may be dated: clocks differ, m3ter may date a POST before we see it.
MARGIN = timedelta(minutes=15)


def utc_now() -> datetime:
    """Return the worker's clock, aware and in UTC."""
    return datetime.now(timezone.utc)


@dataclass(frozen=True)
class M3terMirror:
    """One organisation of m3ter and its mirror: what snapshot, settling and sending share.

    :param m3ter: an open async hook.
    :param db: the ledger.
    :param settle_after: how long m3ter may take until its lists show what a POST made.
    :param full_snapshot_every: the longest time between two complete passes over invitations.
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


@dataclass
class Looked:
    """What a look in m3ter came to; counts only.

    :param full: whether invitations were read to the end.
    :param server_time: m3ter's clock when the look began, or the worker's where m3ter did not say.
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
    counts: dict[str, int] = field(default_factory=dict)


async def take_snapshot(org: M3terMirror) -> Looked:
    """Read invitations, users and policies, and bring the ledger up to date with them.

    :raises M3terError: when m3ter cannot be read; the mirror then stays incomplete for this run.
    """
    started_ms = await asyncio.to_thread(mirror.begin_pass, org.db, org.org_id)
    await _learn_own_id(org)
    looked = await read_newest(org)
    await read_users(org, looked)
    await read_policies(org, looked)
    await asyncio.to_thread(mirror.update_state, org.db, org.org_id, complete_ms=started_ms)
    await asyncio.to_thread(reconcile, org, looked)
    return looked


async def look_again(org: M3terMirror, *, until: datetime | None = None, policies: bool = False) -> Looked:
    """Read the newest invitations and all users once more, and bring the ledger up to date.

    :param until: read back at least to here (m3ter's clock), even if the mirror knows it already.
    :param policies: read permission policies too.
    """
    looked = await read_newest(org, until=until)
    await read_users(org, looked)
    if policies:
        await read_policies(org, looked)
    await asyncio.to_thread(reconcile, org, looked)
    return looked


async def _learn_own_id(org: M3terMirror) -> None:
    try:
        me = await org.m3ter.get_me()
    except M3terStatusError:
        return  # not every service user may ask; then any invitation may be ours (settling is the more careful)
    if me.service_user is not None:
        await asyncio.to_thread(mirror.update_state, org.db, org.org_id, service_user_id=me.service_user.id)


async def read_newest(org: M3terMirror, *, until: datetime | None = None) -> Looked:
    """Mirror invitations, newest first, until a page lies wholly behind the last complete pass.

    Reads to the end when there was no complete pass for ``full_snapshot_every``, when an entry has no
    ``dtCreated``, and when the order does not hold: newest first is a general rule of m3ter's docs, not a
    promise for this list.

    :param until: read back at least to here, by m3ter's clock.
    """
    db, org_id = org.db, org.org_id
    started_ms = await asyncio.to_thread(mirror.begin_pass, db, org_id)
    state = await asyncio.to_thread(mirror.read_state, db, org_id)
    looked = Looked(server_time=org.now())
    stop_before = _stop_before(org, state, until)
    if stop_before is not None and await asyncio.to_thread(mirror.order_is_doubtful, db, org_id):
        stop_before = None
    newest_first = _NewestFirst(await asyncio.to_thread(mirror.newest_created, db, org_id))
    reached_end = True
    first = True
    async for page in org.m3ter.iter_invitation_pages():
        if first:
            looked.server_time = page.server_time or looked.server_time - MARGIN
            first = False
        await asyncio.to_thread(mirror.store_invitations, db, org_id, page.items)
        looked.invitations_read += len(page.items)
        ordered = newest_first.holds(page)
        if stop_before is not None and ordered and page.items and _wholly_before(page.items, stop_before):
            reached_end = False
            break
    if reached_end:
        looked.full = True
        await asyncio.to_thread(mirror.finish_full_pass, db, org_id, Kind.INVITATIONS, started_ms, looked.server_time)
    else:
        await asyncio.to_thread(mirror.update_state, db, org_id, invitations_through=looked.server_time)
    return looked


def _stop_before(org: M3terMirror, state: mirror.MirrorState, until: datetime | None) -> datetime | None:
    """Return before which an incremental pass may stop, or None for a full pass."""
    if state.invitations_full_at is None or state.invitations_through is None:
        return None
    if org.now() - state.invitations_full_at > org.full_snapshot_every:
        return None
    overlap = state.invitations_through - MARGIN - 2 * org.settle_after
    return overlap if until is None else min(overlap, until)


class _NewestFirst:
    """Watches whether a list comes newest first, page by page; entries of one and the same instant prove nothing.

    :param known: when the newest entry known was created: a list that begins with older ones begins at its other end,
        or has lost entries.
    """

    def __init__(self, known: datetime | None) -> None:
        self._known = known
        self._oldest: datetime | None = None
        self._doubt = False
        self._fell = False

    def holds(self, page: Page[Invitation]) -> bool:
        """Take the next page, and tell whether the list has shown by now that it comes newest first."""
        if self._oldest is None and self._known is not None:
            known = self._known
            self._doubt = bool(page.items) and all(i.dt_created is None or i.dt_created < known for i in page.items)
        for item in page.items:
            if item.dt_created is None or (self._oldest is not None and item.dt_created > self._oldest):
                self._doubt = True
                break
            self._fell = self._fell or (self._oldest is not None and item.dt_created < self._oldest)
            self._oldest = item.dt_created
        return self._fell and not self._doubt


def _wholly_before(items: Sequence[Invitation], moment: datetime) -> bool:
    return all(item.dt_created is not None and item.dt_created < moment for item in items)


async def read_users(org: M3terMirror, looked: Looked) -> None:
    """Mirror all users of the organisation."""
    started_ms = await asyncio.to_thread(mirror.begin_pass, org.db, org.org_id)
    began_at = org.now()
    async for page in org.m3ter.iter_user_pages():
        await asyncio.to_thread(mirror.store_users, org.db, org.org_id, page.items)
        looked.users_read += len(page.items)
    await asyncio.to_thread(mirror.finish_full_pass, org.db, org.org_id, Kind.USERS, started_ms, began_at)


async def read_policies(org: M3terMirror, looked: Looked) -> None:
    """Mirror all permission policies of the organisation."""
    started_ms = await asyncio.to_thread(mirror.begin_pass, org.db, org.org_id)
    began_at = org.now()
    async for page in org.m3ter.iter_permission_policy_pages():
        await asyncio.to_thread(mirror.store_policies, org.db, org.org_id, page.items)
        looked.policies_read += len(page.items)
    await asyncio.to_thread(mirror.finish_full_pass, org.db, org.org_id, Kind.POLICIES, started_ms, began_at)


def reconcile(org: M3terMirror, looked: Looked) -> None:
    """Bring the ledger up to date with the mirror: found, adopted, accepted, expired (docs/delivery.md, rules 2, 7)."""
    db, org_id, now = org.db, org.org_id, org.now()
    own = matching.own_principals(db, org_id)

    found, adopted = [], []
    seen: set[str] = set()
    for match in matching.unmatched_invitations(db, org_id, looked.server_time):
        if match.email_key in seen:
            continue  # two living invitations of one address: the older one stands for both
        if match.has_expired(looked.server_time):
            if match.invitation_id is not None and _made_by_attempt(match, own):
                # The e-mail of an attempt that got no answer, and nobody used it.
                seen.add(match.email_key)
                found.append(_found(match, match.invitation_id, InvitationState.SENT, "found_expired"))
            continue
        seen.add(match.email_key)
        outcome = _outcome_of(match, own)
        if outcome is None:
            adopted.append(match)
        else:
            found.append(outcome)
    changed = set(record_found(db, found, now))
    looked.sent += sum(o.invitation_id in changed and o.state is InvitationState.SENT for o in found)
    looked.adopted += sum(o.invitation_id in changed and o.state is InvitationState.ADOPTED for o in found)
    looked.accepted += sum(o.invitation_id in changed and o.state is InvitationState.ACCEPTED for o in found)
    looked.adopted += matching.insert_found(db, org_id, adopted, now)
    looked.ours_unknown += sum(match.inviting_principal_id in own for match in adopted)

    members, joined = [], []
    for match in matching.unmatched_users(db, org_id, looked.server_time):
        if match.invitation_id is None or match.state in (InvitationState.EXPIRED, InvitationState.SUPERSEDED):
            joined.append(match)
        else:
            members.append(
                Outcome(match.invitation_id, InvitationState.ACCEPTED, "found_as_user", m3ter_user_id=match.m3ter_id)
            )
    looked.accepted += len(record_found(db, members, now))
    looked.accepted += matching.insert_found(db, org_id, joined, now)

    progress = matching.progress_of_tracked(db, org_id, looked.server_time)
    ended = [p for p in progress if p.state is InvitationState.SUPERSEDED]
    moved = [Outcome(p.invitation_id, p.state, "m3ter_says") for p in progress if p not in ended]
    moved_ids = set(record_found(db, moved, now))
    looked.accepted += sum(o.invitation_id in moved_ids and o.state is InvitationState.ACCEPTED for o in moved)
    looked.expired += sum(o.invitation_id in moved_ids and o.state is InvitationState.EXPIRED for o in moved)
    record_ended_access(db, [(p.invitation_id, p.m3ter_user_id) for p in ended], now)


def _outcome_of(match: Match, own: frozenset[str]) -> Outcome | None:
    """Return what a living invitation of m3ter means for the newest row of its address; None: adopt it as new."""
    state = match.state
    if match.invitation_id is None or state in (InvitationState.EXPIRED, InvitationState.SUPERSEDED):
        return None
    begun = match.attempt_started_ms is not None
    if match.accepted:
        new, why = InvitationState.ACCEPTED, "found"
    elif begun and state in _UNANSWERED and not _made_by_others(match, own):
        new, why = InvitationState.SENT, "found"
    elif begun and _made_by_attempt(match, own):
        new, why = InvitationState.SENT, "found_late"
    else:
        new, why = InvitationState.ADOPTED, "found"
    return _found(match, match.invitation_id, new, why)


def _found(match: Match, row_id: int, state: InvitationState, why: str) -> Outcome:
    return Outcome(
        row_id,
        state,
        why,
        m3ter_id=match.m3ter_id,
        inviting_principal_id=match.inviting_principal_id,
        expires_at=match.expires_at,
    )


def _made_by_others(match: Match, own: frozenset[str]) -> bool:
    """Tell whether m3ter names an inviter that is certainly not our own service user."""
    return bool(own) and match.inviting_principal_id is not None and match.inviting_principal_id not in own


def _made_by_attempt(match: Match, own: frozenset[str]) -> bool:
    if match.attempt_started_ms is None or match.created_at is None:
        return False
    started = datetime.fromtimestamp(match.attempt_started_ms / 1000, timezone.utc)
    return not _made_by_others(match, own) and match.created_at >= started - MARGIN
