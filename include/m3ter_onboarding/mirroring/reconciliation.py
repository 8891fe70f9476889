"""The ledger brought up to date with the mirror: found, adopted, accepted, expired (docs/delivery.md, rules 2, 7)."""

from __future__ import annotations

from m3ter_onboarding.clock import MARGIN, from_milliseconds
from m3ter_onboarding.ledger import mirror_comparison
from m3ter_onboarding.ledger.mirror_comparison import Match
from m3ter_onboarding.ledger.outcomes import Outcome, record_found
from m3ter_onboarding.ledger.states import ENDED_STATES, UNANSWERED_STATES, InvitationState
from m3ter_onboarding.mirroring.mirrored_organisation import LookResult, MirroredOrganisation
from m3ter_provider.answer_values import is_substitute


def reconcile(org: MirroredOrganisation, looked: LookResult) -> None:
    """Bring the ledger up to date with the mirror, and count in *looked* how many rows changed."""
    _match_invitations(org, looked)
    _match_users(org, looked)
    _follow_known(org, looked)


def _match_invitations(org: MirroredOrganisation, looked: LookResult) -> None:
    """Record invitations of m3ter that the ledger does not know: those of our attempts, and those of others."""
    own = mirror_comparison.own_principals(org.db, org.org_id)
    found, adopted = [], []
    seen: set[str] = set()
    for match in mirror_comparison.unmatched_invitations(org.db, org.org_id, looked.server_time):
        if is_substitute(match.email_key):
            continue  # an address that nobody can have: it stays in the mirror, where settling sees it
        if match.email_key in seen:
            continue  # two active invitations of one address: the older one stands for both
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
    _record(org, looked, found)
    looked.adopted += mirror_comparison.insert_found(org.db, org.org_id, adopted, org.now())
    looked.ours_unknown += sum(match.inviting_principal_id in own for match in adopted)


def _match_users(org: MirroredOrganisation, looked: LookResult) -> None:
    """Record users of m3ter whom the ledger does not know as accepted."""
    accepted, joined = [], []
    for match in mirror_comparison.unmatched_users(org.db, org.org_id, looked.server_time):
        if is_substitute(match.email_key):
            continue
        if match.invitation_id is None or match.state in ENDED_STATES:
            joined.append(match)
        else:
            accepted.append(
                Outcome(match.invitation_id, InvitationState.ACCEPTED, "found_as_user", m3ter_user_id=match.m3ter_id)
            )
    looked.accepted += len(record_found(org.db, accepted, org.now()))
    looked.accepted += mirror_comparison.insert_found(org.db, org.org_id, joined, org.now())


def _follow_known(org: MirroredOrganisation, looked: LookResult) -> None:
    """Record how invitations that the ledger knows went on: accepted, expired, access ended."""
    _record(org, looked, mirror_comparison.progress_of_tracked(org.db, org.org_id, looked.server_time))


def _record(org: MirroredOrganisation, looked: LookResult, outcomes: list[Outcome]) -> None:
    changed = set(record_found(org.db, outcomes, org.now()))
    states = [outcome.state for outcome in outcomes if outcome.invitation_id in changed]
    looked.sent += states.count(InvitationState.SENT)
    looked.adopted += states.count(InvitationState.ADOPTED)
    looked.accepted += states.count(InvitationState.ACCEPTED)
    looked.expired += states.count(InvitationState.EXPIRED)


def _outcome_of(match: Match, own: frozenset[str]) -> Outcome | None:
    """Return what an active invitation of m3ter means for the newest row of its address; None: adopt it as new."""
    state = match.state
    if match.invitation_id is None or state in ENDED_STATES:
        return None
    begun = match.attempt_started_ms is not None
    if match.accepted:
        new, why = InvitationState.ACCEPTED, "found"
    elif begun and state in UNANSWERED_STATES and not _made_by_others(match, own):
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
    """Return whether m3ter names an inviter that is certainly not our own service user."""
    return bool(own) and match.inviting_principal_id is not None and match.inviting_principal_id not in own


def _made_by_attempt(match: Match, own: frozenset[str]) -> bool:
    if match.attempt_started_ms is None or match.created_at is None:
        return False
    started = from_milliseconds(match.attempt_started_ms)
    return not _made_by_others(match, own) and match.created_at >= started - MARGIN
