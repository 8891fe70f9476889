"""The meaning of m3ter's answers, and of the lack of one; decided here once, for both hooks."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

from pydantic_core import from_json

from m3ter_provider.answer_values import as_server_time, whole_text
from m3ter_provider.api_calls import Call
from m3ter_provider.errors import (
    M3terAuthenticationError,
    M3terConnectionError,
    M3terError,
    M3terGarbledAnswerError,
    M3terNotFoundError,
    M3terRateLimitError,
    M3terRequestRejectedError,
    M3terResponseError,
    M3terServerError,
    M3terStatusError,
    M3terUnknownOutcomeError,
)
from m3ter_provider.models import Invitation, parse
from m3ter_provider.network_failures import concerns_tls, why_unreachable

_REJECTED = frozenset({400, 409, 413, 422})
# A gateway answers 408 when it stopped waiting; m3ter behind it may have the request all the same.
_UNKNOWN_4XX = frozenset({408})
_LONGEST_MESSAGE = 2000
#: Seconds of a token's ``expires_in``; NaN, infinity and numbers without end are no times.
_LONGEST_LIFE = 1e9
#: Seconds of a ``Retry-After``; a longer one is a mistake.
_LONGEST_WAIT = 3600.0


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of m3ter's, read whole.

    :param status: the HTTP status.
    :param headers: the headers, by name without regard to case.
    :param body: the whole body.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    def json(self) -> Any:
        """Decode the body.

        :raises ValueError: if it is no JSON.
        """
        try:
            return from_json(self.body)
        except ValueError:
            pass  # most often no JSON; also halves of characters and another encoding, which Python's own reads
        try:
            return json.loads(self.body)
        except RecursionError:
            raise ValueError("nested too deeply") from None

    @property
    def m3ter_message(self) -> str | None:
        """m3ter's message about an error, None if there is none."""
        try:
            message = self.json()["message"]
        except (ValueError, KeyError, TypeError):
            return None
        return whole_text(message[:_LONGEST_MESSAGE]) if isinstance(message, str) else None

    @property
    def is_a_page(self) -> bool:
        """Whether there is a body that is no JSON: m3ter did not write it, but a gateway or a firewall before it."""
        try:
            self.json()
        except ValueError:
            return bool(self.body.strip())
        return False

    @property
    def server_time(self) -> datetime | None:
        """The ``Date`` header, in UTC."""
        return _http_date(self.headers.get("Date"))

    @property
    def retry_after(self) -> float | None:
        """The seconds of ``Retry-After``, None without a usable one."""
        text = (self.headers.get("Retry-After") or "").strip()
        if text.isascii() and text.isdigit():
            return min(float(text), _LONGEST_WAIT)
        until = _http_date(text)
        if until is None:
            return None
        # Measured on m3ter's own clock where it shows it: ours may be minutes off.
        wait = (until - (self.server_time or datetime.now(timezone.utc))).total_seconds()
        return min(max(0.0, wait), _LONGEST_WAIT)


def read_token(answer: Answer) -> tuple[str, float]:
    """Read the answer to a token request.

    :returns: the token and its life in seconds.
    :raises M3terAuthenticationError: if m3ter refused the access key or its secret.
    :raises M3terRateLimitError: on 429.
    :raises M3terServerError: on 5xx, and on a 403 that is not m3ter's own.
    :raises M3terStatusError: on any other error.
    :raises M3terResponseError: if there is no token in it.
    """
    if answer.status == 403 and answer.m3ter_message is None:
        raise M3terServerError(
            "The request for a token was refused (403), and not in m3ter's words: a gateway or a firewall did it, and"
            " the login may be right. Try later, or ask who looks after the network.",
            status_code=answer.status,
        )
    if answer.status in (400, 401, 403):
        raise M3terAuthenticationError(
            f"m3ter refused the access key id or the API secret ({answer.status}). Correct login and password of "
            "the connection, or make a new access key for the service user.",
            status_code=answer.status,
            m3ter_message=answer.m3ter_message,
        )
    data = read_json(answer, "a token")
    value = data.get("access_token") if isinstance(data, Mapping) else None
    lifetime = data.get("expires_in") if isinstance(data, Mapping) else None
    if not isinstance(value, str) or not value or not value.isprintable() or not value.isascii():
        raise M3terResponseError("m3ter's answer for a token has no access_token.")
    return value, _lifetime(lifetime)


def _lifetime(value: object) -> float:
    """Return how long a token lives, in seconds; gateways write the number as a text, too."""
    if isinstance(value, str) and re.fullmatch(r"\d{1,10}(\.\d{1,6})?", value.strip(), re.ASCII):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _LONGEST_LIFE:
        raise M3terResponseError("m3ter's answer for a token has no expires_in.")
    return float(value)


def refused_on_the_way(what: str, answer: Answer) -> M3terServerError:
    """Return the error for a call that was refused (401, 403) not by m3ter: it says nothing about rights."""
    return M3terServerError(
        f"The request for {what} was refused ({answer.status}), and not in m3ter's words: a gateway or a firewall did"
        " it, and nothing happened. Try later, or ask who looks after the network.",
        status_code=answer.status,
    )


def check_status(answer: Answer, what: str, *, repeatable: bool = True) -> None:
    """Raise the error that a status means; 2xx means none.

    :param answer: the answer.
    :param what: names the request in the message.
    :param repeatable: False for a POST, which may have happened in spite of a redirect, a 408 or a 5xx.
    :raises M3terUnknownOutcomeError: if that is so.
    :raises M3terRequestRejectedError: if m3ter refused the content for good.
    :raises M3terRateLimitError: on 429; nothing happened.
    :raises M3terStatusError: on any other 4xx, and on 5xx.
    :raises M3terResponseError: on a redirect.
    """
    status = answer.status
    if 200 <= status < 300:
        return
    if repeatable or (400 <= status < 500 and status not in _UNKNOWN_4XX):
        raise _status_error(answer, what)
    seen = "a redirect" if 300 <= status < 400 else "an error that does not say whether it happened"
    raise _unknown(what, seen, status)


def read_json(answer: Answer, what: str) -> Any:
    """Return the decoded body of a good answer to something that may be repeated.

    :param answer: the answer.
    :param what: names the request in the message.
    :raises M3terGarbledAnswerError: if the body is no JSON.
    :raises M3terError: see :func:`check_status`.
    """
    check_status(answer, what)
    try:
        return answer.json()
    except ValueError:
        pass
    raise M3terGarbledAnswerError(f"m3ter's answer for {what} is no JSON ({answer.status}).")


def read_invitation(answer: Answer, what: str) -> Invitation:
    """Return the invitation that a POST made.

    :raises M3terUnknownOutcomeError: also if the answer cannot be read: the invitation may exist all the same.
    :raises M3terError: see :func:`check_status`.
    """
    check_status(answer, what, repeatable=False)
    try:
        return parse(Invitation, answer.json(), what)
    except (ValueError, M3terResponseError):
        pass
    raise _unknown(what, "an answer that cannot be read", answer.status)


def lost(call: Call, *, connected: bool, error: BaseException, base_url: str, status: int | None = None) -> M3terError:
    """Return the error for a request without a whole answer.

    :param call: the request.
    :param connected: whether there was a connection, so that the request may have left.
    :param error: what the HTTP library raised; only its class is named, since its text may quote anything.
    :param base_url: where m3ter should be.
    :param status: the status, if that much of the answer came.
    """
    what = call.what
    kind = type(error).__name__
    if not connected:
        return M3terConnectionError(
            f"m3ter could not be reached at {base_url} for {what}, and nothing happened: {why_unreachable(error)} "
            f"({kind})."
        )
    if not call.repeatable:
        return M3terUnknownOutcomeError(
            f"m3ter gave no whole answer to {what} ({kind}). It may have been done: look it up before anything else.",
            status_code=status,
        )
    reason = f": {why_unreachable(error)} ({kind})" if concerns_tls(error) else f" ({kind})"
    return M3terConnectionError(f"m3ter gave no whole answer for {what}{reason}. Nothing was changed by it.")


def _unknown(what: str, seen: str, status: int) -> M3terUnknownOutcomeError:
    return M3terUnknownOutcomeError(
        f"m3ter answered {what} with {seen} ({status}). It may have been done: look it up before anything else.",
        status_code=status,
    )


def _status_error(answer: Answer, what: str) -> M3terError:
    status, message = answer.status, answer.m3ter_message
    if status < 400:
        # The credentials would go wherever the redirect points.
        return M3terResponseError(
            f"m3ter answered {what} with {status} where an answer was due; redirects are not followed. Check the "
            "connection's host."
        )
    if status in _REJECTED:
        return M3terRequestRejectedError(
            f"m3ter refused {what} ({status}). The same content will be refused again.",
            status_code=status,
            m3ter_message=message,
        )
    if status == 401:
        return authentication_error(message)
    if status == 404:
        return M3terNotFoundError(
            f"m3ter has not found {what} (404). Check the id and the connection's host.",
            status_code=status,
            m3ter_message=message,
        )
    if status == 429:
        return M3terRateLimitError(
            f"m3ter limits the rate of requests (429) and did not do {what}. Lower requests_per_second of the "
            "connection, or try later.",
            m3ter_message=message,
            retry_after=answer.retry_after,
        )
    if status >= 500:
        return M3terServerError(
            f"m3ter failed to answer {what} ({status}). Try later.", status_code=status, m3ter_message=message
        )
    return M3terStatusError(
        f"m3ter answered {what} with the error {status}; nothing happened.",
        status_code=status,
        m3ter_message=message,
    )


def authentication_error(m3ter_message: str | None = None) -> M3terAuthenticationError:
    """Return the error for a call refused with 401, also with a new token."""
    return M3terAuthenticationError(
        "m3ter refused a new access token (401). Check that the service user of the connection's access key is "
        "still active.",
        status_code=401,
        m3ter_message=m3ter_message,
    )


def _http_date(text: str | None) -> datetime | None:
    try:
        return as_server_time(parsedate_to_datetime(text or ""))
    except (ValueError, TypeError, IndexError, OverflowError):  # all of these, by Python's version and the text
        return None
