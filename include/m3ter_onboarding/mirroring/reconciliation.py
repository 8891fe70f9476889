"""The ledger brought up to date with the mirror: found, adopted, accepted, expired (docs/delivery.md, rules 2, 7)."""

from __future__ import annotations

from datetime import datetime, timezone

from m3ter_onboarding.clock import MARGIN
from m3ter_onboarding.ledger import mirror_comparison
from m3ter_onboarding.ledger.mirror_comparison import Match
from m3ter_onboarding.ledger.outcomes import Outcome, record_ended_access, record_found
from m3ter_onboarding.ledger.states import InvitationState
from m3ter_onboarding.mirroring.organisation import Looked, M3terMirror

_UNANSWERED = (InvitationState.SENDING, InvitationState.UNKNOWN, InvitationState.REVIEW)


def reconcile(org: M3terMirror, looked: Looked) -> None:
    """Bring the ledger up to date with the mirror: found, adopted, accepted, expired (docs/delivery.md, rules 2, 7)."""
    db, org_id, now = org.db, org.org_id, org.now()
    own = mirror_comparison.own_principals(db, org_id)

    found, adopted = [], []
    seen: set[str] = set()
    for match in mirror_comparison.unmatched_invitations(db, org_id, looked.server_time):
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
    looked.adopted += mirror_comparison.insert_found(db, org_id, adopted, now)
    looked.ours_unknown += sum(match.inviting_principal_id in own for match in adopted)

    members, joined = [], []
    for match in mirror_comparison.unmatched_users(db, org_id, looked.server_time):
        if match.invitation_id is None or match.state in (InvitationState.EXPIRED, InvitationState.SUPERSEDED):
            joined.append(match)
        else:
            members.append(
                Outcome(match.invitation_id, InvitationState.ACCEPTED, "found_as_user", m3ter_user_id=match.m3ter_id)
            )
    looked.accepted += len(record_found(db, members, now))
    looked.accepted += mirror_comparison.insert_found(db, org_id, joined, now)

    progress = mirror_comparison.progress_of_tracked(db, org_id, looked.server_time)
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
