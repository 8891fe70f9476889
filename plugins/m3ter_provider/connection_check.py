"""The test of a connection: its requests to m3ter, and its answer to the person who pressed "Test"."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from m3ter_provider.api_answers import Answer, read_json
from m3ter_provider.api_calls import (
    INVITATIONS,
    PERMISSION_POLICIES,
    USERS,
    Call,
    Listing,
    invitation_right_call,
    list_call,
    me_call,
)
from m3ter_provider.connection import ConnectionSettings
from m3ter_provider.errors import M3terError, M3terNotFoundError, M3terPermissionError, M3terResponseError
from m3ter_provider.models import Me, parse
from m3ter_provider.paging import Paging

#: Every snapshot reads all three.
_LISTS: tuple[Listing[Any], ...] = (INVITATIONS, USERS, PERMISSION_POLICIES)
_REFUSED_FOR_ITS_BODY = frozenset({400, 422})


class ConnectionCheck:
    """One test of a connection. No request is made here: a hook makes each of :meth:`calls` and
    gives its answer or error back.

    :param settings: the connection.
    """

    def __init__(self, settings: ConnectionSettings) -> None:
        self._settings = settings
        self._me: Me | None = None
        self._unreadable: list[Listing[Any]] = []
        self._trouble: M3terError | None = None
        self._may_create: bool | None = None
        self._unclear = "it was not tried"

    def calls(self) -> Iterator[Call]:
        """Yield the requests; one that fails ends them, unless it is a right that is missing.

        Only where the connection may send, the last is a POST, with an empty body that m3ter cannot send.
        """
        for listing in _LISTS:
            yield list_call(self._settings, listing, page_size=1)
            if self._trouble is not None:
                return
        yield me_call(self._settings)
        if self._settings.allow_invitations:
            yield invitation_right_call(self._settings)

    def answered(self, call: Call, answer: Answer) -> None:
        """Take an answer: to a GET a good one, to the POST whatever it is.

        :raises M3terResponseError: if it is not as documented; to be given to :meth:`failed`.
        """
        if not call.repeatable:
            if answer.status == 403:
                self._may_create = False
            elif answer.status in _REFUSED_FOR_ITS_BODY:
                self._may_create = True
            else:
                self._unclear = f"m3ter answered {answer.status} to an empty request"
        elif listing := self._listing(call):
            Paging(self._settings, listing).take(read_json(answer, call.what), answer)
        else:
            self._me = parse(Me, read_json(answer, call.what), call.what)

    def failed(self, call: Call, error: M3terError) -> None:
        """Take the error that a call ended in."""
        listing = self._listing(call)
        if not call.repeatable:
            if isinstance(error, M3terPermissionError):
                self._may_create = False
            self._unclear = f"m3ter gave no clear answer, {type(error).__name__}"
        elif listing is not None and isinstance(error, M3terPermissionError) and error.kind == "no_right_to_read":
            self._unreadable.append(listing)
        elif listing is not None:
            self._trouble = error
        # The service user's name is only shown where m3ter gives it.

    def result(self) -> tuple[bool, str]:
        """Return whether the connection does what it is set to do, and some sentences with the way out."""
        if self._trouble is not None:
            return False, _explained(self._trouble, self._settings)
        organisation = (self._me and self._me.organization and self._me.organization.name) or self._settings.org_id
        name = (self._me and self._me.service_user and self._me.service_user.name) or "its service user"
        results = [(True, f"Connected to organisation {organisation} as {name}."), self._reading(), self._sending()]
        # Airflow shows it for some seconds only: problems come first.
        results.sort(key=lambda works_and_text: works_and_text[0])
        return all(works for works, _ in results), " ".join(text for _, text in results)

    def _reading(self) -> tuple[bool, str]:
        if not self._unreadable:
            return True, f"It can read {_listed([listing.name for listing in _LISTS])}."
        names = _listed([listing.name for listing in self._unreadable])
        resources = _listed([listing.resource for listing in self._unreadable])
        return False, (
            f"The service user may not read {names} (403), which every run needs: give it config:retrieve on "
            f"{resources}."
        )

    def _sending(self) -> tuple[bool, str]:
        if not self._settings.allow_invitations:
            return True, (
                "It sends no invitations, because its extra allow_invitations is off: turn that on if real people may "
                "be e-mailed through it."
            )
        if self._may_create is False:
            return False, (
                "m3ter does not let the service user create invitations (403): give it config:create on "
                f"{INVITATIONS.resource} or the Administrator policy, or turn the extra allow_invitations off."
            )
        where = _listed(self._settings.allowed_domains) or "any domain"
        if self._may_create:
            return True, f"It may send invitations to {where}; none was sent now."
        return True, (
            f"It is set to send invitations to {where}; whether m3ter lets the service user create them is not "
            f"known ({self._unclear}). Test again later, or see what becomes of the first one."
        )

    def _listing(self, call: Call) -> Listing[Any] | None:
        urls = {list_call(self._settings, listing).url: listing for listing in _LISTS}
        return urls.get(call.url) if call.repeatable else None


def failed_test(error: Exception, conn_id: str) -> tuple[bool, str]:
    """Return the result of a test that could not be made. It shows no text but our own: others may quote anything.

    :param error: what was raised.
    :param conn_id: the connection's id; Airflow tests under one of its own making, which nobody knows.
    """
    if isinstance(error, M3terError):
        return False, _without_id(str(error), conn_id)
    return False, (
        f"Airflow could not read this connection, or the test broke off ({type(error).__name__}). Check that it exists "
        "and opens in Airflow, and look into the log of the process that tested it."
    )


def _explained(error: M3terError, settings: ConnectionSettings) -> str:
    text = _without_id(str(error), settings.conn_id)
    if isinstance(error, M3terResponseError | M3terNotFoundError):
        text += f" {settings.base_url} may be no API of m3ter: correct the connection's host, or leave it empty."
    return text


def _without_id(text: str, conn_id: str) -> str:
    return text.replace(f"Connection {conn_id!r}", "This connection").replace(
        f"connection {conn_id!r}", "this connection"
    )


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
