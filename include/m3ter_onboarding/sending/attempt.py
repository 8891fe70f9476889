"""One POST of one invitation: what the ledger records of its end, and whether others may still begin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from m3ter_onboarding.errors import NotAllowedError
from m3ter_onboarding.ledger.claims import Claimed
from m3ter_onboarding.ledger.outcomes import Outcome
from m3ter_onboarding.ledger.states import InvitationState
from m3ter_onboarding.ledger.storable_values import storable_answer
from m3ter_onboarding.sending.bound_plan import BoundPlan
from m3ter_onboarding.sending.lease import Lease
from m3ter_provider.errors import (
    NEEDS_A_PERSON,
    M3terConnectionError,
    M3terError,
    M3terRequestRejectedError,
    M3terStatusError,
    M3terUnknownOutcomeError,
)
from m3ter_provider.models import Invitation, InvitationRequest

if TYPE_CHECKING:
    from m3ter_provider.hooks.m3ter import M3terAsyncHook


@dataclass(eq=False)
class Attempt:
    """One claimed invitation on its way through a sender.

    :param token: of its claim.
    :param lease: of its claim.
    :param posted: whether its POST has begun.
    """

    claimed: Claimed
    token: str
    lease: Lease
    posted: bool = False


class NotBegunError(Exception):
    """Raised before a POST that may not begin; nothing was posted."""


@dataclass(frozen=True)
class Ended:
    """How an attempt ended.

    :param outcome: for the ledger.
    :param unanswered: why there is no usable answer; None: there is one, or nothing was posted.
    :param stop_because: why no other invitation may begin either; None: they may.
    :param for_good: with *stop_because*: trying again changes nothing.
    """

    outcome: Outcome
    unanswered: str | None = None
    stop_because: str | None = None
    for_good: bool = False


async def post(m3ter: M3terAsyncHook, claimed: Claimed, bound: BoundPlan, before_post: Callable[[], None]) -> Ended:
    """POST one invitation and return how that ended; every error but cancellation is an outcome.

    :param bound: the plan; a request that is not as it was planned is not sent, and no other one after it.
    :param before_post: called before every POST, repeats included; raises :class:`NotBegunError` where it may not
        begin.
    """
    row_id = claimed.invitation_id
    posted = False

    def noted() -> None:
        nonlocal posted
        before_post()
        posted = True

    try:
        bound.check_before_post(claimed)
    except NotAllowedError as error:
        return Ended(Outcome(row_id, InvitationState.UNSENT, "not_begun"), stop_because=str(error), for_good=True)
    request = _read(claimed)
    if request is None:
        # Written by another version of this package. It concerns this person alone; the text would quote the address.
        message = "The stored request is not valid any more; it is planned anew when the row changes."
        return Ended(Outcome(row_id, InvitationState.FAILED, "invalid_request", message=message))
    try:
        invitation = await m3ter.create_invitation(request, before_post=noted)
    except NotBegunError:
        return Ended(Outcome(row_id, InvitationState.UNSENT, "not_begun"))
    except M3terUnknownOutcomeError as error:
        outcome = Outcome(row_id, InvitationState.UNKNOWN, "no_answer", http_status=error.status_code)
        return Ended(outcome, unanswered=str(error))
    except M3terRequestRejectedError as error:
        if not posted:  # the request for a token was refused: this person is not concerned
            return Ended(Outcome(row_id, InvitationState.UNSENT, "turned_away"), stop_because=str(error))
        message = error.m3ter_message or str(error)
        return Ended(Outcome(row_id, InvitationState.FAILED, "refused", http_status=error.status_code, message=message))
    except M3terError as error:
        # Nothing was done, and it would go the same way with the others: no right, no connection, too many.
        # The status is this person's only where it answered their POST: such a person is claimed after all others.
        status = error.status_code if posted and isinstance(error, M3terStatusError) else None
        why = "not_reached" if isinstance(error, M3terConnectionError) else "turned_away"
        return Ended(
            Outcome(row_id, InvitationState.UNSENT, why, http_status=status),
            stop_because=str(error),
            for_good=isinstance(error, NEEDS_A_PERSON),
        )
    except Exception as error:  # noqa: BLE001  (whatever it was, the POST may have happened)
        state = InvitationState.UNKNOWN if posted else InvitationState.UNSENT
        return Ended(
            Outcome(row_id, state, "unexpected"),
            stop_because=f"Sending met an unexpected error ({type(error).__name__}); it is looked up in m3ter.",
        )
    return _answered(row_id, invitation)


def _answered(row_id: int, invitation: Invitation) -> Ended:
    return Ended(
        Outcome(
            row_id,
            InvitationState.SENT,
            "answered",
            m3ter_id=invitation.id,
            inviting_principal_id=invitation.inviting_principal_id or invitation.created_by,
            expires_at=invitation.ends_at,
            answer=storable_answer(invitation.as_answered),
            http_status=200,
        )
    )


def _read(claimed: Claimed) -> InvitationRequest | None:
    """Return the stored request; None: it is not valid, or would be POSTed as something else than it is."""
    try:
        request = InvitationRequest.model_validate(claimed.request)
    except ValidationError:
        return None
    return request if request.to_json() == claimed.request else None


def not_begun(claimed: Claimed, why: str = "not_begun") -> Outcome:
    """Return the outcome of an attempt that was called off before its POST."""
    return Outcome(claimed.invitation_id, InvitationState.UNSENT, why)


def not_looked(refused: Outcome) -> Outcome:
    """Return the outcome of a refusal that was not looked up: settling will."""
    return Outcome(
        refused.invitation_id, InvitationState.UNKNOWN, "refused_not_looked", http_status=refused.http_status
    )
