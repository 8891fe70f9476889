"""The errors of this provider, as a small tree.

The texts are sentences without personal data. m3ter's own message may quote an address: it is kept on the instance
(:attr:`M3terStatusError.m3ter_message`) for the ledger and never becomes part of ``str()`` or ``repr()``::

    M3terError
    ├── M3terConfigurationError          the connection is wrong; nothing was sent
    │   └── M3terSendingNotAllowedError  the connection does not allow this e-mail; nothing was sent
    ├── M3terPermissionPolicyError       a permission policy is missing, ambiguous or not allowed; nothing was sent
    ├── M3terConnectionError             no connection was made; certainly nothing happened
    ├── M3terUnknownOutcomeError         a POST that may have happened: look it up, never repeat it
    ├── M3terResponseError               an answer to a GET (or for a token) that makes no sense
    │   └── M3terGarbledAnswerError      it was cut off or no JSON, also when repeated
    └── M3terStatusError                 m3ter answered with an error; nothing happened
        ├── M3terAuthenticationError     401: the credentials or the token were refused
        ├── M3terPermissionError         403, told apart by ``kind``
        ├── M3terAccessLostError         401 or 403 for what this process was allowed before
        ├── M3terRequestRejectedError    400, 409, 413, 422: final for that content
        ├── M3terNotFoundError           404
        ├── M3terRateLimitError          429, also after ten tries
        └── M3terServerError             5xx, or a gateway's 403, after retries of what may be repeated
"""

from __future__ import annotations

from typing import Any, Literal

from airflow.sdk.exceptions import AirflowException

PermissionKind = Literal["wrong_organisation", "no_right_to_read", "no_right_to_invite"]


class M3terError(AirflowException):
    """The root of everything this provider raises about m3ter."""

    given_up = False
    """Whether what failed was repeated already; then it is not repeated once more from outside."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Let it be copied, and cross processes, with its attributes."""
        return _again, (type(self), self.args, self.__dict__.copy())


def _again(kind: type[M3terError], args: tuple[Any, ...], attributes: dict[str, Any]) -> M3terError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(attributes)
    return error


class M3terConfigurationError(M3terError):
    """The Airflow connection cannot be used as it is; no request was made."""


class M3terSendingNotAllowedError(M3terConfigurationError):
    """The connection does not allow this invitation (``allow_invitations``, ``allowed_domains``); nothing was sent."""


class M3terPermissionPolicyError(M3terError):
    """A permission policy that somebody is to get is missing in m3ter, ambiguous or not allowed; nothing was sent."""


class M3terConnectionError(M3terError):
    """No connection to m3ter could be made, so nothing happened there."""


class M3terUnknownOutcomeError(M3terError):
    """A POST may or may not have happened: it must be looked up in m3ter, and never repeated.

    :param message: a sentence about the answer, or the lack of one.
    :param status_code: the HTTP status of the answer, None if there was no (whole) answer.
    """

    # Airflow declares a class attribute of this name for its own API's answers.
    status_code: int | None  # type: ignore[assignment]

    def __init__(self, message: str, *, status_code: int | None = None) -> None:
        super().__init__(message)
        self.status_code = status_code


class M3terResponseError(M3terError):
    """The answer to a GET or a token request is not as m3ter's documentation promises."""


class M3terGarbledAnswerError(M3terResponseError):
    """The answer was no JSON at all; a repeated request may get a whole one."""


class M3terStatusError(M3terError):
    """m3ter answered with an error status, and did nothing.

    :param message: a sentence for the person who must act, without personal data.
    :param status_code: the HTTP status.
    :param m3ter_message: m3ter's own words; may quote an address, so never log it.
    """

    status_code: int  # type: ignore[assignment]

    def __init__(self, message: str, *, status_code: int, m3ter_message: str | None = None) -> None:
        super().__init__(message)
        self.status_code = status_code
        self.m3ter_message = m3ter_message


class M3terAuthenticationError(M3terStatusError):
    """The credentials were refused, or a new token was (401)."""


class M3terPermissionError(M3terStatusError):
    """The service user may not do this (403, also with a new token).

    :param kind: ``wrong_organisation``, ``no_right_to_read`` or ``no_right_to_invite``.
    """

    def __init__(
        self,
        message: str,
        *,
        kind: PermissionKind,
        status_code: int = 403,
        m3ter_message: str | None = None,
    ) -> None:
        super().__init__(message, status_code=status_code, m3ter_message=m3ter_message)
        self.kind: PermissionKind = kind


class M3terAccessLostError(M3terStatusError):
    """m3ter refuses what it allowed this process before (401, 403): its tokens end early, or rights were changed."""


class M3terRequestRejectedError(M3terStatusError):
    """m3ter refused this content (400, 409, 413, 422); sending the same again cannot succeed."""


class M3terNotFoundError(M3terStatusError):
    """There is no such thing in this organisation (404)."""


class M3terRateLimitError(M3terStatusError):
    """m3ter kept answering 429, and the request did nothing.

    :param retry_after: the seconds of m3ter's ``Retry-After``; None: it gave none.
    """

    def __init__(
        self,
        message: str,
        *,
        status_code: int = 429,
        m3ter_message: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, status_code=status_code, m3ter_message=m3ter_message)
        self.retry_after = retry_after


class M3terServerError(M3terStatusError):
    """m3ter, or a gateway before it, failed to answer a GET or a token request, also when it was repeated.

    For a POST: a gateway refused it, so that nothing happened.
    """


NEEDS_A_PERSON = (M3terConfigurationError, M3terAuthenticationError, M3terPermissionError, M3terNotFoundError)
"""Trying again changes nothing about these: a person must act first."""
