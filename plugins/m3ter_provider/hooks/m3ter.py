"""The hooks for m3ter: :class:`M3terHook` for single calls, :class:`M3terAsyncHook` for many at once."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, TypeVar, cast

import requests
from airflow.providers.http.hooks.http import HttpHook
from airflow.sdk.log import mask_secret
from requests.auth import AuthBase
from requests.cookies import RequestsCookieJar
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from m3ter_provider import api_answers, api_calls
from m3ter_provider.access_refusals import AccessRefusals
from m3ter_provider.api_answers import Answer
from m3ter_provider.api_calls import INVITATIONS, PERMISSION_POLICIES, USERS, Call, ItemT, Listing
from m3ter_provider.call_flow import CallFlow
from m3ter_provider.call_steps import Acquire, Flow, Mask, Send, Sleep, Step, run
from m3ter_provider.clock import Clock, boot_clock
from m3ter_provider.connection import IDLE_CONNECTION_SECONDS, ConnectionSettings, connection_settings
from m3ter_provider.connection_check import ConnectionCheck, failed_test
from m3ter_provider.errors import M3terConfigurationError
from m3ter_provider.hooks.m3ter_async import M3terAsyncHook
from m3ter_provider.models import Invitation, InvitationRequest, Me, OrgUser, Page, PermissionPolicy
from m3ter_provider.paging import Paging
from m3ter_provider.process_state import pacer, token_life, used_rights

if TYPE_CHECKING:
    from airflow.sdk import Connection

T = TypeVar("T")

__all__ = ["M3terAsyncHook", "M3terHook"]


_OF_HTTP_HOOK = frozenset(
    {
        "adapter",
        "auth_type",
        "tcp_keep_alive",
        "tcp_keep_alive_count",
        "tcp_keep_alive_idle",
        "tcp_keep_alive_interval",
    }
)


class M3terHook(HttpHook):
    """Single calls to one m3ter organisation, over one pooled session; safe to share between threads.

    It is an :class:`~airflow.providers.http.hooks.http.HttpHook`: :meth:`run` and :meth:`get_conn` reach every path of
    m3ter's API, with the same token, pace, finite time-outs and refusals as the methods here.

    :param m3ter_conn_id: a connection of type ``m3ter``; read once, at the first use.
    :param method: the verb of :meth:`run`.
    :param clock: seconds, never going back, running during suspend too.
    :param sleep: how to wait, in seconds.
    :param http_hook: the arguments that ``HttpOperator`` gives to every hook (``auth_type``, ``tcp_keep_alive…``,
        ``adapter``): not used, since token and connections are ours.
    """

    conn_name_attr = "m3ter_conn_id"
    default_conn_name = "m3ter_default"
    conn_type = "m3ter"
    hook_name = "m3ter"

    def __init__(
        self,
        m3ter_conn_id: str = default_conn_name,
        method: str = "GET",
        *,
        clock: Clock = boot_clock,
        sleep: Callable[[float], None] = time.sleep,
        **http_hook: Any,
    ) -> None:
        if unknown := sorted(set(http_hook) - _OF_HTTP_HOOK):
            raise TypeError(f"M3terHook has no argument {unknown[0]!r}")
        super().__init__(method=method, http_conn_id=m3ter_conn_id)
        self.m3ter_conn_id = m3ter_conn_id
        self._clock = clock
        self._sleep = sleep
        self._opening = threading.Lock()
        self._gate = threading.Lock()
        self._probing = threading.Lock()
        self._sessions: dict[int, _M3terSession] = {}

    @cached_property
    def settings(self) -> ConnectionSettings:
        """The checked connection.

        :raises M3terConfigurationError: if it cannot be used.
        """
        settings = connection_settings(self._read_connection)
        mask_secret(settings.api_secret)
        return settings

    @property
    def post_timeout_seconds(self) -> float:
        """How long one attempt at a POST lasts from ``before_post()`` to its end, connecting included.

        An answer that trickles in may take longer: ``requests`` knows no total. :class:`M3terAsyncHook` does.
        """
        return self.settings.timeout_seconds

    def iter_invitation_pages(self) -> Iterator[Page[Invitation]]:
        """Stream the pages of the organisation's invitations in m3ter's order, as a rule the newest first."""
        return self._pages(INVITATIONS)

    def iter_user_pages(self) -> Iterator[Page[OrgUser]]:
        """Stream the pages of the organisation's users."""
        return self._pages(USERS)

    def iter_permission_policy_pages(self) -> Iterator[Page[PermissionPolicy]]:
        """Stream the pages of the organisation's permission policies."""
        return self._pages(PERMISSION_POLICIES)

    def iter_invitations(self) -> Iterator[Invitation]:
        """Stream the organisation's invitations; a page is requested when it is needed."""
        return (item for page in self.iter_invitation_pages() for item in page.items)

    def iter_users(self) -> Iterator[OrgUser]:
        """Stream the organisation's users; a page is requested when it is needed."""
        return (item for page in self.iter_user_pages() for item in page.items)

    def iter_permission_policies(self) -> Iterator[PermissionPolicy]:
        """Stream the organisation's permission policies; a page is requested when it is needed."""
        return (item for page in self.iter_permission_policy_pages() for item in page.items)

    def get_invitation(self, invitation_id: str) -> Invitation:
        """Get one invitation.

        :raises M3terNotFoundError: if there is none with this id.
        """
        return self._run(
            self._flow().get_model(Invitation, api_calls.get_call(self.settings, INVITATIONS, invitation_id))
        )

    def get_user(self, user_id: str) -> OrgUser:
        """Get one user of the organisation.

        :raises M3terNotFoundError: if there is none with this id.
        """
        return self._run(self._flow().get_model(OrgUser, api_calls.get_call(self.settings, USERS, user_id)))

    def get_user_permission_policies(self, user_id: str) -> tuple[PermissionPolicy, ...]:
        """Get the permission policies that one user of the organisation has.

        :raises M3terNotFoundError: if there is no user with this id.
        """
        pages = self._pages(api_calls.policies_of_user(user_id))
        return tuple(policy for page in pages for policy in page.items)

    def get_me(self) -> Me:
        """Get the service user and its organisation."""
        return self._run(self._flow().get_model(Me, api_calls.me_call(self.settings)))

    def create_invitation(
        self, request: InvitationRequest, before_post: Callable[[], None] | None = None
    ) -> Invitation:
        """Send one invitation: an e-mail to a real person that cannot be recalled.

        :param request: the invitation.
        :param before_post: called immediately before every POST, repeats included, after all waiting is over. If it
            raises, nothing is posted and the exception is the caller's.
        :raises M3terSendingNotAllowedError: if the connection does not allow it; no request was made.
        :raises M3terUnknownOutcomeError: if the invitation may have been sent all the same. It is never repeated.
        :raises M3terRequestRejectedError: if m3ter refuses this content (400, 409, 413, 422).
        :raises M3terAuthenticationError: if the credentials, or a new token, are refused; nothing was sent.
        :raises M3terPermissionError: if the service user may not do this; nothing was sent.
        :raises M3terRateLimitError: if 429 went on for too long; nothing was sent.
        :raises M3terConnectionError: if m3ter could not be reached; nothing was sent.
        :raises M3terError: of another kind: no token could be had, or m3ter answered another 4xx; nothing was sent.
        """
        call = api_calls.invitation_call(self.settings, request)
        return self._run(self._flow().post_invitation(call, before_post))

    def test_connection(self) -> tuple[bool, str]:
        """Return whether the connection does what it is set to do, and if not, why and what to do; never raises.

        It gets a new token and one page of each list. Where the connection may send invitations, one POST with an empty
        body shows whether m3ter lets it: m3ter refuses that for its body, or for the missing right. Nothing is sent.
        """
        try:
            return self._run(self._flow().check_connection(ConnectionCheck(self.settings)))
        except Exception as error:  # noqa: BLE001 - Airflow would show its text, whatever that quotes
            return failed_test(error, self.m3ter_conn_id)

    def get_conn(
        self, headers: dict[Any, Any] | None = None, extra_options: dict[str, Any] | None = None
    ) -> requests.Session:
        """Return the one pooled session. It adds the token, keeps the pace, follows no redirect and always times out.

        :param headers: ignored, since the session is shared; :meth:`run` gives them to its request.
        :param extra_options: ``check_response`` and ``timeout`` (seconds) of the next :meth:`run`.
        """
        self.merged_extra = dict(extra_options or {})
        return self._session()

    def check_response(self, response: requests.Response) -> None:
        """Raise what an error status means; nothing is logged, since m3ter's answers quote people.

        :raises M3terError: for every status that is not 2xx.
        """
        method = response.request.method
        api_answers.check_status(_answer(response), f"a {method} request", repeatable=method == "GET")

    @cached_property
    def _read_connection(self) -> Connection:
        return self.get_connection(self.m3ter_conn_id)

    def _set_base_url(self, connection: Connection) -> None:
        self.base_url = self.settings.base_url
        self._base_url_initialized = True

    def _extract_auth(self, connection: Connection) -> AuthBase:
        return _TokenAddedWhenSent()

    def _configure_session_from_extra(
        self, session: requests.Session, connection: Connection, extra_options: dict[str, Any]
    ) -> requests.Session:
        """Set the session up by our named extras; unlike in HttpHook, no extra becomes a header."""
        session.headers.clear()
        session.headers.update(api_calls.HEADERS)
        session.cookies = RequestsCookieJar(policy=DefaultCookiePolicy(allowed_domains=[]))
        # Proxies and certificates of the environment; a proxy has no business with this machine's own sandbox.
        session.trust_env = self.settings.uses_tls
        return session

    def _session(self) -> _M3terSession:
        with self._opening:
            # A connection must not be used by both sides of a fork.
            session = self._sessions.get(os.getpid())
            if session is None:
                session = _M3terSession(self, clock=self._clock)
                self._set_base_url(self._read_connection)
                session.auth = self._extract_auth(self._read_connection)
                self._configure_session_from_extra(session, self._read_connection, {})
                self._configure_session_from_mount_adapters(session)
                self._sessions = {os.getpid(): session}
        return session

    def _pages(self, listing: Listing[ItemT]) -> Iterator[Page[ItemT]]:
        paging = Paging(self.settings, listing)
        for call in paging.calls():
            yield paging.take(*self._run(self._flow().get(call)))

    def _flow(self) -> CallFlow:
        """Build the flow of the next call. Token and pace are looked up each time, since a fork ends both."""
        return CallFlow(
            settings=self.settings,
            clock=self._clock,
            tokens=token_life(self.settings, self._clock),
            pacer=pacer(self.settings, self._clock),
            used=used_rights(self.settings, self._clock),
            refusals=self._refusals,
            gate=self._gate,
            probing=self._probing,
        )

    def _run(self, flow: Flow[T]) -> T:
        return run(flow, partial(self._take, self._session()))

    def _exchange(self, call: _PreparedCall) -> requests.Response:
        return cast("_ResponseAnswer", self._run(self._flow().exchange(call)).answer).response

    def _take(self, session: _M3terSession, step: Step) -> object:
        match step:
            case Send():
                return self._send(session, step)
            case Sleep():
                self._sleep(step.seconds)
            case Acquire():
                step.lock.acquire()
            case Mask():
                mask_secret(step.secret)
        return None

    def _send(self, session: _M3terSession, step: Send) -> Answer:
        call, timeout = step.call, None
        if isinstance(call, _PreparedCall):
            prepared, timeout = call.prepared, call.timeout
        else:
            request = requests.Request(call.method, call.url, params=call.params, data=call.form, json=call.body)
            prepared = session.prepare_request(request)
        prepared.headers["Authorization"] = step.authorization
        connect = self.settings.connect_timeout_seconds
        try:
            return session.transmit(prepared, timeout or (connect, self.settings.timeout_seconds - connect))
        except requests.RequestException as error:
            lost = api_answers.lost(
                call, connected=_had_connection(error), error=error, base_url=self.settings.base_url
            )
        raise lost

    @cached_property
    def _refusals(self) -> AccessRefusals:
        return AccessRefusals(self.settings)


@dataclass(frozen=True, slots=True, kw_only=True)
class _PreparedCall(Call):
    """A request that was prepared outside this provider; ``timeout`` in the forms that ``requests`` takes."""

    prepared: requests.PreparedRequest = field(repr=False)
    timeout: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _ResponseAnswer(Answer):
    """An answer with the response that it came in."""

    response: requests.Response = field(repr=False)


class _TokenAddedWhenSent(AuthBase):
    """Keeps ``requests`` from taking credentials out of a netrc file or the connection's login."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


class _M3terSession(requests.Session):
    """A session that checks, paces and authorises every request that is sent through it.

    :param hook: whose connection it is.
    :param clock: the hook's.
    """

    def __init__(self, hook: M3terHook, *, clock: Clock) -> None:
        super().__init__()
        # What the environment names and cannot be used is said here, not in the middle of a request.
        hook.settings.tls_context()
        self._proxies = {"https": proxy} if (proxy := hook.settings.proxy) else {}
        self._hook = hook
        self._clock = clock
        self._used_at: float | None = None

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send a request that was prepared outside this provider.

        :raises M3terSendingNotAllowedError: if it would send an invitation that the connection does not allow.
        :raises M3terError: if there was no answer.
        """
        url = request.url or ""
        base_url = self._hook.settings.base_url
        if not url.startswith(f"{base_url}/"):
            raise M3terConfigurationError("The token of a m3ter connection is not sent to any other host.")
        if api_calls.is_invitation_post(request.method, url):
            self._hook.settings.assert_may_invite(_invited(request))
        method = (request.method or "GET").upper()
        call = _PreparedCall(
            "GET" if method == "GET" else "POST",
            url.partition("?")[0],
            f"a {method} request",
            prepared=request,
            timeout=kwargs.get("timeout"),
        )
        return self._hook._exchange(call)

    def transmit(self, request: requests.PreparedRequest, timeout: Any) -> _ResponseAnswer:
        """Send a request as it is, once."""
        if self._used_at is not None and self._clock() - self._used_at > IDLE_CONNECTION_SECONDS:
            self.close()
        self._used_at = self._clock()
        environment = self.merge_environment_settings(request.url, {}, False, None, None)
        environment["proxies"] = self._proxies  # as the tasks read them
        return _answer(super().send(request, timeout=timeout, allow_redirects=False, **environment))


def _invited(request: requests.PreparedRequest) -> str:
    try:
        return str(json.loads(request.body or b"")["email"])
    except (ValueError, KeyError, TypeError):
        return ""


def _answer(response: requests.Response) -> _ResponseAnswer:
    return _ResponseAnswer(response.status_code, response.headers, response.content, response=response)


def _had_connection(error: requests.RequestException) -> bool:
    """Return whether there was a connection, so that the request may have left."""
    if isinstance(error, requests.ConnectTimeout | requests.exceptions.ProxyError):
        return False
    reason = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(error, requests.exceptions.SSLError):
        return "CERTIFICATE_VERIFY_FAILED" not in str(reason or error)
    return not isinstance(reason, NewConnectionError | ConnectTimeoutError)
