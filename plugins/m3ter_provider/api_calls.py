"""The requests that this provider makes, as values; nothing is sent from here."""

from __future__ import annotations

import functools
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar
from urllib.parse import quote, unquote, urlsplit

from m3ter_provider import __version__
from m3ter_provider.answer_values import is_substitute, is_whole_text
from m3ter_provider.connection import ConnectionSettings
from m3ter_provider.email_identity import mask_email
from m3ter_provider.errors import M3terNotFoundError
from m3ter_provider.models import Invitation, InvitationRequest, M3terModel, OrgUser, PermissionPolicy

ItemT = TypeVar("ItemT", bound=M3terModel)

HEADERS: Mapping[str, str] = {
    "Accept": "application/json",
    "User-Agent": f"airflow-provider-m3ter/{__version__}",
}


@dataclass(frozen=True, slots=True)
class Call:
    """One request as it will be made.

    :param method: the HTTP verb.
    :param url: the whole URL, without query.
    :param what: what it asks for, as a message names it; no personal data.
    :param params: the query.
    :param body: the JSON body.
    :param form: the body of a form instead.
    """

    method: Literal["GET", "POST"]
    url: str
    what: str
    params: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = field(default=None, repr=False)
    form: Mapping[str, str] | None = None

    @property
    def repeatable(self) -> bool:
        """Whether making it twice does no more than making it once."""
        return self.method == "GET" or self.form is not None

    @property
    def policies(self) -> frozenset[str]:
        """Ids of the permission policies that it would grant."""
        return frozenset((self.body or {}).get("permissionPolicyIds") or ())

    @property
    def right(self) -> str:
        """Name of the right that it needs beside its verb and its policies: the same for everybody."""
        return INVITATIONS.path if is_invitation_post(self.method, self.url) else self.what


@dataclass(frozen=True)
class Listing(Generic[ItemT]):
    """One of m3ter's lists: its path, model and name, its longest page, and its name in a right (``config:…``).

    :param within: the path of the entry that the list belongs to; empty: the organisation itself.
    """

    path: str
    model: type[ItemT]
    name: str
    page_size: int
    resource: str
    within: tuple[str, ...] = ()

    @property
    def what(self) -> str:
        """The list as a message names it."""
        return f"the list of {self.name}"


INVITATIONS = Listing("invitations", Invitation, "invitations", 200, "orgUserInvitation")
USERS = Listing("users", OrgUser, "users", 200, "orgUser")
PERMISSION_POLICIES = Listing("permissionpolicies", PermissionPolicy, "permission policies", 100, "permissionPolicy")


def policies_of_user(user_id: str) -> Listing[PermissionPolicy]:
    """Return the list of a user's permission policies.

    :raises M3terNotFoundError: without an id.
    """
    what = "permission policies of one user"
    if not _can_be_asked_for(user_id):
        raise M3terNotFoundError(f"m3ter has no {what} without an id.", status_code=404)
    return Listing("permissions", PermissionPolicy, what, 200, "orgUser", within=(USERS.path, user_id))


def list_call(
    settings: ConnectionSettings,
    listing: Listing[Any],
    *,
    page_size: int | None = None,
    next_token: str | None = None,
) -> Call:
    """Build the request for one page of a list."""
    params = {"pageSize": str(page_size or listing.page_size)}
    if next_token is not None:
        params["nextToken"] = next_token
    return Call("GET", _url(settings, *listing.within, listing.path), listing.what, params=params)


def get_call(settings: ConnectionSettings, listing: Listing[Any], item_id: str) -> Call:
    """Build the request for one entry of a list."""
    what = f"one entry of {listing.what}"
    if not _can_be_asked_for(item_id):
        raise M3terNotFoundError(f"m3ter has no {what} without an id.", status_code=404)
    return Call("GET", _url(settings, listing.path, item_id), what)


def me_call(settings: ConnectionSettings) -> Call:
    """Build the request for the service user itself."""
    return Call("GET", _url(settings, "users", "me"), "the service user itself")


def invitation_call(settings: ConnectionSettings, request: InvitationRequest) -> Call:
    """Build the POST that sends one invitation.

    :raises M3terSendingNotAllowedError: if the connection does not allow it.
    """
    settings.assert_may_invite(request.email)
    what = f"the invitation of {mask_email(request.email)}"
    return Call("POST", _url(settings, INVITATIONS.path), what, body=request.to_json())


def invitation_right_call(settings: ConnectionSettings) -> Call:
    """Build the POST that shows whether the service user may create invitations, for the test of a connection alone.

    Its body is empty and not the caller's to fill. m3ter requires ``email``, ``firstName`` and ``lastName``: it refuses
    this (400) also where the right is there, so it cannot become an e-mail.

    :raises M3terSendingNotAllowedError: if the connection does not allow invitations anyway.
    """
    settings.assert_may_invite_anybody()
    return Call("POST", _url(settings, INVITATIONS.path), "a check of the right to invite", body={})


def token_call(settings: ConnectionSettings) -> Call:
    """Build the request for a token. It is a form, the only one, and changes nothing in m3ter."""
    url = f"{settings.base_url}/oauth/token"
    return Call("POST", url, "a token", form={"grant_type": "client_credentials"})


def is_invitation_post(method: str | None, url: str | None) -> bool:
    """Return whether a request would send an invitation; it may come from outside this provider."""
    return (method or "").upper() == "POST" and _leads_to_invitations(url or "")


# Both are asked for the same few URLs, once and more for each invitation.
@functools.lru_cache(maxsize=64)
def _leads_to_invitations(url: str) -> bool:
    # As the connection pool will write it: without dots and doubled slashes.
    path = posixpath.normpath(unquote(urlsplit(url).path)).lower()
    return path.endswith(f"/{INVITATIONS.path}")


def _can_be_asked_for(m3ter_id: str) -> bool:
    return bool(m3ter_id.strip("./ ")) and is_whole_text(m3ter_id) and not is_substitute(m3ter_id)


def _url(settings: ConnectionSettings, *parts: str) -> str:
    return _url_of(settings.base_url, settings.org_id, *parts)


@functools.lru_cache(maxsize=64)
def _url_of(base_url: str, *parts: str) -> str:
    return f"{base_url}/organizations/{'/'.join(quote(part, safe='') for part in parts)}"
