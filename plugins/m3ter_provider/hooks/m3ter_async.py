"""The hook for many calls at once."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from types import SimpleNamespace, TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import aiohttp
from airflow.sdk import BaseHook
from airflow.sdk.log import mask_secret

from m3ter_provider import api_answers, api_calls
from m3ter_provider.access_refusals import AccessRefusals
from m3ter_provider.api_answers import Answer
from m3ter_provider.api_calls import INVITATIONS, PERMISSION_POLICIES, USERS, Call, ItemT, Listing
from m3ter_provider.call_flow import CallFlow
from m3ter_provider.call_steps import Acquire, Flow, Mask, Send, Sleep, Step, run_async
from m3ter_provider.clock import Clock, boot_clock
from m3ter_provider.connection import IDLE_CONNECTION_SECONDS, ConnectionSettings, connection_settings
from m3ter_provider.connection_check import ConnectionCheck, failed_test
from m3ter_provider.errors import M3terConfigurationError
from m3ter_provider.models import Invitation, InvitationRequest, Me, OrgUser, Page, PermissionPolicy
from m3ter_provider.paging import Paging
from m3ter_provider.process_state import pacer, token_life, used_rights

if TYPE_CHECKING:
    from aiohttp.abc import AbstractStreamWriter
    from airflow.sdk import Connection

T = TypeVar("T")


class M3terAsyncHook(BaseHook):
    """Many calls to one m3ter organisation at once, over one pooled session::

        async with M3terAsyncHook("m3ter_default") as m3ter:
            async for invitation in m3ter.iter_invitations():
                ...

    Every request waits for its turn at the connection's pace. GETs are repeated after failures; a POST only if it
    certainly did nothing.

    :param m3ter_conn_id: a connection of type ``m3ter``; read once, when the context is entered.
    :param connection: the connection itself, instead of its id.
    :param clock: seconds, never going back, running during suspend too.
    :param sleep: how to wait, in seconds.
    """

    conn_name_attr = "m3ter_conn_id"
    default_conn_name = "m3ter_default"
    conn_type = "m3ter"
    hook_name = "m3ter"

    def __init__(
        self,
        m3ter_conn_id: str = default_conn_name,
        *,
        connection: Connection | None = None,
        clock: Clock = boot_clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        super().__init__()
        self.m3ter_conn_id = m3ter_conn_id
        self._connection = connection
        self._clock = clock
        self._sleep = sleep
        self._settings: ConnectionSettings | None = None
        self._session: aiohttp.ClientSession | None = None
        self._invitations: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> M3terAsyncHook:
        """Read the connection and open the session; no request is made yet.

        :raises M3terConfigurationError: if the connection cannot be used.
        """
        # In a thread: a synchronous call to Airflow's API on the loop's thread would hold up every coroutine.
        if self._connection is None:
            self._connection = await asyncio.to_thread(self.get_connection, self.m3ter_conn_id)
        self._settings = settings = connection_settings(self._connection)
        await asyncio.to_thread(mask_secret, settings.api_secret)
        self._flow = CallFlow(
            settings=settings,
            clock=self._clock,
            tokens=token_life(settings, self._clock),
            pacer=pacer(settings, self._clock),
            used=used_rights(settings, self._clock),
            refusals=AccessRefusals(settings),
            gate=asyncio.Lock(),
            probing=asyncio.Lock(),
        )
        self._throttled_before = self._flow.pacer.times_throttled
        self._session, self._invitations = _sessions(settings)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the session."""
        if self._session is not None:
            await self._session.close()
            self._session = self._invitations = None

    @property
    def settings(self) -> ConnectionSettings:
        """The checked connection; readable once the context was entered."""
        if self._settings is None:
            raise M3terConfigurationError("M3terAsyncHook has read no connection yet; use it in 'async with'.")
        return self._settings

    @property
    def post_timeout_seconds(self) -> float:
        """The longest one attempt at a POST can last from ``before_post()`` to its end, connecting included."""
        return self.settings.timeout_seconds

    @property
    def times_throttled(self) -> int:
        """How often m3ter has slowed this process down (429) since the context was entered."""
        return self._flow.pacer.times_throttled - self._throttled_before

    def iter_invitation_pages(self) -> AsyncIterator[Page[Invitation]]:
        """Stream the pages of the organisation's invitations in m3ter's order, as a rule the newest first."""
        return self._pages(INVITATIONS)

    def iter_user_pages(self) -> AsyncIterator[Page[OrgUser]]:
        """Stream the pages of the organisation's users."""
        return self._pages(USERS)

    def iter_permission_policy_pages(self) -> AsyncIterator[Page[PermissionPolicy]]:
        """Stream the pages of the organisation's permission policies."""
        return self._pages(PERMISSION_POLICIES)

    async def iter_invitations(self) -> AsyncIterator[Invitation]:
        """Stream the organisation's invitations; a ``break`` stops asking for pages."""
        async for page in self.iter_invitation_pages():
            for item in page.items:
                yield item

    async def iter_users(self) -> AsyncIterator[OrgUser]:
        """Stream the organisation's users; a ``break`` stops asking for pages."""
        async for page in self.iter_user_pages():
            for item in page.items:
                yield item

    async def iter_permission_policies(self) -> AsyncIterator[PermissionPolicy]:
        """Stream the organisation's permission policies; a ``break`` stops asking for pages."""
        async for page in self.iter_permission_policy_pages():
            for item in page.items:
                yield item

    async def get_invitation(self, invitation_id: str) -> Invitation:
        """Get one invitation.

        :raises M3terNotFoundError: if there is none with this id.
        """
        call = api_calls.get_call(self.settings, INVITATIONS, invitation_id)
        return await self._run(self._flow.get_model(Invitation, call))

    async def get_user(self, user_id: str) -> OrgUser:
        """Get one user of the organisation.

        :raises M3terNotFoundError: if there is none with this id.
        """
        return await self._run(self._flow.get_model(OrgUser, api_calls.get_call(self.settings, USERS, user_id)))

    async def get_user_permission_policies(self, user_id: str) -> tuple[PermissionPolicy, ...]:
        """Get the permission policies that one user of the organisation has.

        :raises M3terNotFoundError: if there is no user with this id.
        """
        pages = self._pages(api_calls.policies_of_user(user_id))
        return tuple([policy async for page in pages for policy in page.items])

    async def get_me(self) -> Me:
        """Get the service user and its organisation."""
        return await self._run(self._flow.get_model(Me, api_calls.me_call(self.settings)))

    async def create_invitation(
        self, request: InvitationRequest, before_post: Callable[[], None] | None = None
    ) -> Invitation:
        """Send one invitation: an e-mail to a real person that cannot be recalled.

        :param request: the invitation.
        :param before_post: called before every POST, repeats included, after all waiting is over, and once more before
            its first byte is written: connecting may have taken long, or the process have stood still. If it raises,
            nothing is posted and the exception is the caller's.
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
        return await self._run(self._flow.post_invitation(call, before_post))

    async def test_connection(self) -> tuple[bool, str]:
        """Return whether the connection does what it is set to do; see :meth:`.M3terHook.test_connection`."""
        try:
            return await self._run(self._flow.check_connection(ConnectionCheck(self.settings)))
        except Exception as error:  # noqa: BLE001 - Airflow would show its text, whatever that quotes
            return failed_test(error, self.m3ter_conn_id)

    async def _pages(self, listing: Listing[ItemT]) -> AsyncIterator[Page[ItemT]]:
        paging = Paging(self.settings, listing)
        for call in paging.calls():
            yield paging.take(*await self._run(self._flow.get(call)))

    async def _run(self, flow: Flow[T]) -> T:
        return await run_async(flow, self._take)

    def _take(self, step: Step) -> Awaitable[object]:
        match step:
            case Send():
                return self._send(step.call, step.authorization, step.before_body)
            case Acquire():
                awaitable: Awaitable[object] = step.lock.acquire()
                return awaitable
            case Sleep():
                return self._sleep(step.seconds)
            case Mask():
                return asyncio.to_thread(mask_secret, step.secret)

    async def _send(self, call: Call, authorization: str, before_body: Callable[[], None] | None) -> Answer:
        """Send one request and read its answer whole.

        :param before_body: called before the first byte of a request with a body; if it raises, none is written.
        """
        if self._session is None or self._invitations is None:
            raise M3terConfigurationError("M3terAsyncHook has no session; use it in 'async with'.")
        progress, session = _Progress(), self._session
        status: int | None = None
        request: dict[str, Any]
        if call.body is not None:
            session, request = self._invitations, {"data": _CheckedBody(call.body, before_body, progress)}
        else:
            request = {"data": call.form, "trace_request_ctx": progress}
        if call.params:
            request["params"] = call.params
        try:
            async with session.request(
                call.method,
                call.url,
                headers={"Authorization": authorization},
                allow_redirects=False,
                **request,
            ) as response:
                status = response.status
                return Answer(status, response.headers, await _body(response))
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
            lost = api_answers.lost(
                call,
                connected=progress.connected,
                error=error,
                base_url=self.settings.base_url,
                status=status,
            )
        if progress.called_off is not None:
            raise progress.called_off
        raise lost


class _Progress:
    """How far a request has come.

    :param connected: whether it ever had a connection: only then may it have left.
    :param called_off: the error that kept it from leaving.
    """

    __slots__ = ("called_off", "connected")

    def __init__(self) -> None:
        self.connected = False
        self.called_off: Exception | None = None


class _CheckedBody(aiohttp.BytesPayload):
    """A JSON body that is checked before its first byte is written, headers included.

    :param content: becomes JSON.
    :param check: raises to keep the request from leaving; None: nothing is checked.
    :param progress: of the request; gets its connection, and the error that was raised.
    """

    def __init__(self, content: object, check: Callable[[], None] | None, progress: _Progress) -> None:
        super().__init__(json.dumps(content).encode(), content_type="application/json")
        self._check, self._progress = check, progress

    async def write(self, writer: AbstractStreamWriter) -> None:
        self._check_now()
        await super().write(writer)

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        self._check_now()
        await super().write_with_length(writer, content_length)

    def _check_now(self) -> None:
        self._progress.connected = True
        if self._check is None:
            return
        try:
            self._check()
        except Exception as error:
            self._progress.called_off = error
            raise


def _sessions(settings: ConnectionSettings) -> tuple[aiohttp.ClientSession, aiohttp.ClientSession]:
    """Open the session for requests, and the one for invitations, over the same connections.

    The body of an invitation notes its connection by itself, without aiohttp's tracing, which every request would pay.
    """
    proxy = settings.proxy  # before anything is opened: it may be one that cannot be used
    connector = aiohttp.TCPConnector(
        keepalive_timeout=IDLE_CONNECTION_SECONDS,
        timeout_ceil_threshold=math.inf,
        ssl=settings.tls_context() or True,
    )

    def session(**more: Any) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(
                # The total includes waiting for a pooled connection. Without a threshold aiohttp rounds it up.
                total=settings.timeout_seconds,
                sock_connect=settings.connect_timeout_seconds,
                ceil_threshold=math.inf,
            ),
            headers=api_calls.HEADERS,
            cookie_jar=aiohttp.DummyCookieJar(),
            proxy=proxy,
            **more,
        )

    return session(trace_configs=[_connection_trace()]), session(connector_owner=False)


async def _body(response: aiohttp.ClientResponse) -> bytes:
    try:
        return await response.read()
    except aiohttp.ClientError:
        if 400 <= response.status < 500:
            # The status alone says that nothing happened.
            return b""
        raise


def _connection_trace() -> aiohttp.TraceConfig:
    """Note on each request's progress that it has a connection."""

    async def connected(_session: aiohttp.ClientSession, context: SimpleNamespace, _params: object) -> None:
        context.trace_request_ctx.connected = True

    trace = aiohttp.TraceConfig()
    trace.on_connection_create_end.append(connected)
    trace.on_connection_reuseconn.append(connected)
    return trace
