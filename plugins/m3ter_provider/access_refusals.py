"""Why m3ter refuses access (401, 403), found out once for all calls of a hook."""

from __future__ import annotations

import copy

from m3ter_provider.api_answers import Answer, authentication_error
from m3ter_provider.api_calls import INVITATIONS, Call, is_invitation_post, list_call, me_call
from m3ter_provider.connection import ConnectionSettings
from m3ter_provider.errors import (
    M3terAccessLostError,
    M3terAuthenticationError,
    M3terPermissionError,
    M3terStatusError,
    PermissionKind,
)

_MOST_REQUESTS = 4
_ANY = None


class AccessRefusals:
    """The knowledge of one hook about refused access.

    A hook makes one probe at a time and checks :meth:`known` first, so that a batch costs one probe and gets one error.

    :param settings: the connection.
    """

    def __init__(self, settings: ConnectionSettings) -> None:
        self._settings = settings
        self._organisation_works = False
        self._final: M3terAuthenticationError | None = None
        self._readable: bool | None = None
        self._member: bool | None = None
        self._has_invited = False
        self._may_not_invite: dict[frozenset[str] | None, PermissionKind] = {}

    def answered(self, call: Call) -> None:
        """Note that m3ter did what a call asked in this organisation."""
        self._organisation_works = True
        if is_invitation_post(call.method, call.url) and call.body:
            self._has_invited = True

    def known(self, call: Call) -> M3terStatusError | None:
        """Return the error that a call would end in by what is known, None if it is worth making."""
        if self._final is not None:
            return copy.copy(self._final)
        if self._may_not_invite and is_invitation_post(call.method, call.url):
            kind = self._may_not_invite.get(_ANY) or self._may_not_invite.get(call.policies)
            return self._error(kind, call, None) if kind else None
        return None

    def refused_credentials(self, error: M3terAuthenticationError) -> M3terAuthenticationError:
        """Remember that the credentials are refused for good: trying again for every row would be a storm."""
        self._final = error
        return error

    def next_probe(self, call: Call, answer: Answer, *, requests_made: int) -> Call | None:
        """Return the GET that is still needed to find out why a call was refused, None if none is.

        :param call: the call that m3ter refused, also with a new token.
        :param answer: its last answer, 401 or 403.
        :param requests_made: how many requests this call has cost; four are the most.
        """
        if answer.status != 403 or requests_made >= _MOST_REQUESTS:
            return None
        if self._readable is None and not _lists_invitations(self._settings, call):
            return list_call(self._settings, INVITATIONS, page_size=1)
        if self._readable or self._organisation_works or self._member is not None:
            return None
        return me_call(self._settings)

    def probed(self, probe: Call, *, worked: bool) -> None:
        """Note the result of a probe."""
        if _lists_invitations(self._settings, probe):
            self._readable = worked
        else:
            self._member = worked

    def reason(self, call: Call, answer: Answer) -> M3terStatusError:
        """Return the error for a refused call once no probe is left."""
        if answer.status != 403:
            return self.refused_credentials(authentication_error(answer.m3ter_message))
        if self._readable:
            kind: PermissionKind = "no_right_to_read" if call.repeatable else "no_right_to_invite"
        elif self._organisation_works or self._member:
            kind = "no_right_to_read"
        else:
            kind = "wrong_organisation"
        if not call.repeatable:
            # m3ter may refuse a person for the policies they would get, which shows nothing about those with others.
            self._may_not_invite[call.policies if kind == "no_right_to_invite" else _ANY] = kind
        return self._error(kind, call, answer.m3ter_message)

    def right_lost(self, call: Call, answer: Answer) -> M3terAccessLostError:
        """Return the error for a call that is refused with a good token, and was allowed this process before."""
        return self._lost(
            call, answer, "The access token is good: somebody may just have changed the rights of the service user."
        )

    def tokens_ended(self, call: Call, answer: Answer, *, tokens: int) -> M3terAccessLostError:
        """Return the error for a call that was refused with one token after the other.

        :param tokens: how many they were.
        """
        return self._lost(
            call,
            answer,
            f"{tokens} access tokens in a row were refused; another process that uses the same access key may end them,"
            " or a gateway. An access key for each connection that is used at the same time may help.",
        )

    def _lost(self, call: Call, answer: Answer, why: str) -> M3terAccessLostError:
        return M3terAccessLostError(
            f"m3ter refuses {call.what} ({answer.status}) to the service user of connection {self._settings.conn_id!r}"
            f" in organisation {self._settings.org_id}, though it allowed as much before. {why}"
            " The next try finds out.",
            status_code=answer.status,
            m3ter_message=answer.m3ter_message,
        )

    def _error(self, kind: PermissionKind, call: Call, m3ter_message: str | None) -> M3terPermissionError:
        org_id, conn_id = self._settings.org_id, self._settings.conn_id
        if kind == "wrong_organisation":
            text = (
                f"m3ter does not let the service user of connection {conn_id!r} into organisation {org_id} (403). "
                "Correct the extra org_id, or use an access key of that organisation; a service user without any "
                "right there is answered in the same way."
            )
        elif kind == "no_right_to_invite" and self._has_invited:
            text = (
                f"The service user of connection {conn_id!r} may create invitations in organisation {org_id}, but "
                "not with these permission policies (403). Give it the rights it is to grant, or choose other policies."
            )
        elif kind == "no_right_to_invite":
            text = (
                f"The service user of connection {conn_id!r} may read organisation {org_id} but not create "
                "invitations in it (403). Give it config:create on orgUserInvitation, or the Administrator policy."
            )
            if call.policies:
                text += " It may also lack rights that the invitation's permission policies would grant."
        else:
            text = (
                f"The service user of connection {conn_id!r} belongs to organisation {org_id} but may not read "
                f"{call.what if call.repeatable else INVITATIONS.what} (403). Give it config:retrieve on "
                "orgUserInvitation, orgUser and permissionPolicy."
            )
        return M3terPermissionError(text, kind=kind, m3ter_message=m3ter_message)


def _lists_invitations(settings: ConnectionSettings, call: Call) -> bool:
    return call.repeatable and call.url == list_call(settings, INVITATIONS).url
