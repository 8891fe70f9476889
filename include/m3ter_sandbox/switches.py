"""Every behaviour that m3ter leaves undocumented, and every limit, as a switch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Switches"]

Seconds = Annotated[float, Field(ge=0, le=1_000_000_000)]


class Switches(BaseModel):
    """One complete setting of the sandbox; changed by ``PATCH /_sandbox/switches``.

    The letters are those of the list of undocumented behaviours in ``docs/sandbox.md``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    # Limits and tokens.
    requests_per_second: Annotated[int, Field(ge=0)] = 50
    """Requests per second and organisation, all clients together; 0 switches the limit off."""
    window: Literal["calendar", "sliding"] = "calendar"
    """Whether the second is the clock's or any second."""
    requests_per_five_minutes: Annotated[int, Field(ge=0)] = 20_000
    """Requests per rolling five minutes and source address; 0 switches the limit off."""
    token_lifetime_seconds: Annotated[int, Field(ge=1, le=1_000_000_000)] = 18_000
    """``expires_in`` of a token, and when it really expires."""
    token_ends_after_seconds: Seconds = 0
    """A token that ends earlier than ``expires_in`` says: so many seconds after it was issued; 0: it does not."""
    token_good_for_requests: Annotated[int, Field(ge=0)] = 0
    """How many requests a token is good for, whatever ``expires_in`` says; 0: any number."""
    token_error_status: Literal[401, 403] = 403
    """The answer to an expired, revoked, unknown or missing token."""
    wrong_secret_status: Literal[400, 401, 403] = 401
    """The answer of ``/oauth/token`` to a wrong access key id or secret."""

    # The service user's rights.
    may_read: bool = True
    """Whether it may list and fetch invitations, users and policies."""
    unreadable: tuple[Literal["invitations", "users", "permissionpolicies"], ...] = ()
    """Lists that it may not read although ``may_read`` is on, nor an entry of them."""
    may_invite: bool = True
    """Whether it may create invitations (``config:create`` on ``orgUserInvitation``)."""
    may_administer: bool = True
    """Whether it may change users and permission policies."""

    # a–m: what the documents leave open.
    pending_invitation: Literal["second_email", "error_409", "error_400", "update", "update_with_email"] = (
        "second_email"
    )
    """a: a POST for an address with a pending invitation."""
    existing_member: Literal["email", "error_409", "error_400"] = "email"
    """b: a POST for an address that is a user already."""
    keep_accepted: bool = True
    """c: whether the list keeps accepted invitations."""
    keep_expired: bool = True
    """c: whether the list keeps expired invitations."""
    email_stored_as: Literal["given", "lower", "lower_domain", "trimmed", "trimmed_lower", "without_tag"] = "given"
    """d: how m3ter keeps an address."""
    retry_after: Literal["none", "seconds", "date"] = "none"
    """e: the ``Retry-After`` header of a 429."""
    count_token_requests: bool = True
    """f: whether token requests count in the organisation's limit."""
    contact_number_required: bool = False
    """g: whether ``contactNumber`` is required for people without an account."""
    grant_beyond_own_rights: Literal["allow", "error_403", "error_400"] = "allow"
    """h: an invitation with policies that the service user itself lacks."""
    own_policies: tuple[str, ...] = ()
    """h: names of the policies that the service user itself has."""
    end_access_inclusive: bool = False
    """i: whether access lasts to the end of the UTC day of ``dtEndAccess``."""
    list_lag_seconds: Seconds = 0
    """j: how long after its POST an invitation appears in the list."""
    user_list_lag_seconds: Seconds = 0
    """j: the same for a new user in the list of users."""
    list_order: Literal["newest_first", "oldest_first", "unstable"] = "newest_first"
    """k: order of the lists; ``unstable`` shuffles within each page."""
    new_token_ends_old: bool = False
    """l: whether a new token ends the ones before."""
    duplicate_policy_names: bool = True
    """m: whether two permission policies may bear one name."""

    # How answers look.
    default_page_size: Annotated[int, Field(ge=1, le=100)] = 100
    """Entries of a page when ``pageSize`` is absent."""
    sparse_pages: bool = False
    """Whether every second page is empty although more follows."""
    end_of_list: Literal["omitted", "null", "empty"] = "omitted"
    """``nextToken`` of the last page."""
    absent_fields: Literal["omitted", "null"] = "omitted"
    """Fields without a value."""
    omit_fields: tuple[str, ...] = ()
    """Fields left out of every entry, e.g. ``dtCreated``."""
    unknown_fields: bool = False
    """Whether every entry carries a field that no document mentions."""
    date_precision: Literal["milliseconds", "seconds", "minutes"] = "milliseconds"
    """How exact the dates in answers are; finer parts are cut off."""
    date_header_skew_seconds: Annotated[int, Field(ge=-86_400, le=86_400)] = 0
    """How far the ``Date`` header is off from the dates in the bodies."""

    # What requests are checked for beyond the document's schemas.
    check_policy_ids: bool = True
    """Whether an invitation with an unknown permission policy is refused."""
    statement_case: Literal["lower", "either"] = "lower"
    """Whether permission statements in upper case are refused, as the document's note says."""

    def changed(self, changes: dict[str, object]) -> Switches:
        """Return these switches with some changed, all of them validated.

        :raises pydantic.ValidationError: a name or a value that does not exist.
        """
        return type(self).model_validate({**self.model_dump(), **changes})
