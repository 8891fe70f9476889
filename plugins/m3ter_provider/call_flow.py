"""The control flow of a call, once for both hooks: its turn at the pace, its token, its renewal, probe and repeats.

A divergence between the hooks in any of this could double an e-mail. So each method is a generator that yields the
steps of :mod:`m3ter_provider.call_steps`, and a hook takes them; no request is made here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from m3ter_provider import api_answers, api_calls, metrics, retries
from m3ter_provider.access_refusals import AccessRefusals
from m3ter_provider.api_answers import Answer
from m3ter_provider.api_calls import Call, ItemT
from m3ter_provider.auth import Token, TokenLife, wait_before_renewal
from m3ter_provider.call_steps import Acquire, Flow, Mask, Send, Sleep, StepLock
from m3ter_provider.clock import Clock
from m3ter_provider.connection import ConnectionSettings
from m3ter_provider.connection_check import ConnectionCheck
from m3ter_provider.errors import M3terAuthenticationError, M3terError
from m3ter_provider.models import Invitation, parse
from m3ter_provider.observed_request import ObservedRequest
from m3ter_provider.pacing import Pacer
from m3ter_provider.used_rights import UsedRights

_REFUSED_ACCESS = (401, 403)
#: So often a call begins anew after a token that was refused twice and had ended.
_MOST_ROUNDS = 6
_WAIT_FOR_RENEWAL_SECONDS = 0.02

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Exchanged:
    """A call that was made, and its answer.

    :param token: with which it was made at last.
    :param refused: the tokens that were refused for it before.
    """

    answer: Answer
    token: Token
    refused: tuple[Token, ...] = ()


@dataclass(slots=True)
class _Turn:
    """A call's turn, first come first served."""

    gate: StepLock
    held: bool = False

    def begin(self) -> Flow[None]:
        """Wait for it, unless it has begun."""
        if not self.held:
            yield Acquire(self.gate)
            self.held = True

    def end(self) -> None:
        """Let the next one begin."""
        if self.held:
            self.held = False
            self.gate.release()


@dataclass(frozen=True, slots=True)
class CallFlow:
    """The calls of one hook.

    :param settings: the connection.
    :param clock: seconds, never going back.
    :param tokens: the token, shared by all hooks of the process.
    :param pacer: the pace, shared likewise.
    :param used: the rights that this process has used, shared likewise.
    :param refusals: the hook's knowledge about refused access.
    :param gate: held by the one call whose turn it is; until its answer is there where tokens die early.
    :param probing: held by the one call that finds out why it was refused.
    :param failures: how often something is tried that fails otherwise than by 429.
    """

    settings: ConnectionSettings
    clock: Clock
    tokens: TokenLife
    pacer: Pacer
    used: UsedRights
    refusals: AccessRefusals
    gate: StepLock
    probing: StepLock
    failures: int = retries.FAILURES

    def get(self, call: Call) -> Flow[tuple[Any, Answer]]:
        """Make a GET until it succeeds or is given up, and return the decoded body and the answer it came in."""
        return retries.repeat(partial(self._get_once, call), retries.REPEATABLE, failures=self.failures)

    def get_model(self, model: type[ItemT], call: Call) -> Flow[ItemT]:
        """Make a GET, and return its answer as a model."""
        data, _ = yield from self.get(call)
        return parse(model, data, call.what)

    def post_invitation(self, call: Call, before_post: Callable[[], None] | None) -> Flow[Invitation]:
        """POST an invitation, and again only where it certainly did nothing.

        :param before_post: called immediately before every POST, after all waiting is over; if it raises, none is made.
        """
        return retries.repeat(partial(self._post_once, call, before_post), retries.DID_NOTHING, failures=self.failures)

    def exchange(
        self, call: Call, before_send: Callable[[], None] | None = None, refused: tuple[Token, ...] = ()
    ) -> Flow[Exchanged]:
        """Make one call with a token, and again with a new one if m3ter refuses the first.

        Where tokens die early its turn lasts until then: the next one would use the new token up.

        :param refused: tokens that were refused for this call before.
        """
        renewals, turn = 0, _Turn(self.gate)
        try:
            while True:
                answer, token = yield from self._request_in_turn(turn, call, before_send)
                if answer.status not in _REFUSED_ACCESS:
                    self.tokens.accepted(token, after=refused if answer.status < 300 else ())
                    if answer.status < 300:
                        self.refusals.answered(call)
                    return Exchanged(answer, token, refused)
                if not self.tokens.renewal_may_help(token, renewals=renewals):
                    return Exchanged(answer, token, refused)
                self.tokens.rejected(token)
                refused, renewals = (*refused, token), renewals + 1
        finally:
            turn.end()

    def check_connection(self, check: ConnectionCheck) -> Flow[tuple[bool, str]]:
        """Make the calls of a connection's test, with a new token, and return its result.

        Nothing is repeated after a failure: somebody waits for the result, and can press the button again.
        """
        once = replace(self, tokens=TokenLife(clock=self.clock), used=UsedRights(), failures=1)
        for call in check.calls():
            try:
                if call.repeatable:
                    _, answer = yield from once.get(call)
                else:
                    answer = (yield from once.exchange(call)).answer  # its refusal is the result: no probe
                check.answered(call, answer)
            except M3terError as error:
                check.failed(call, error)
        return check.result()

    def _get_once(self, call: Call) -> Flow[tuple[Any, Answer]]:
        answer = yield from self._authorised(call)
        return api_answers.read_json(answer, call.what), answer

    def _post_once(self, call: Call, before_post: Callable[[], None] | None) -> Flow[Invitation]:
        answer = yield from self._authorised(call, before_post)
        return api_answers.read_invitation(answer, call.what)

    def _authorised(self, call: Call, before_send: Callable[[], None] | None = None) -> Flow[Answer]:
        """Make one call, and find out why if m3ter refuses it.

        A refusal is taken for one of rights only where the refused token is good for something else. Where it is not,
        though this process has been allowed as much before, it has ended: the call is made again with a new one.
        """
        refused: tuple[Token, ...] = ()
        for number in range(1, _MOST_ROUNDS + 1):
            made = yield from self.exchange(call, before_send, refused)
            if made.answer.status not in _REFUSED_ACCESS:
                if made.answer.status < 300:
                    self.used.note(call)
                return made.answer
            if good := (yield from self._was_good(call, made)):
                break
            refused = (*made.refused, made.token)
            yield Sleep(wait_before_renewal(number))
        if made.answer.is_a_page:
            raise api_answers.refused_on_the_way(call.what, made.answer)
        if not good:
            raise self.refusals.tokens_ended(call, made.answer, tokens=len(refused))
        if self.used.has(call):
            raise self.refusals.right_lost(call, made.answer)
        raise self.refusals.reason(call, made.answer)

    def _was_good(self, call: Call, made: Exchanged) -> Flow[bool]:
        """Find out whether the token of a refused call is good, so that the refusal is about rights.

        One call asks, the others wait for what it learns.
        """
        yield Acquire(self.probing)
        try:
            if (known := self.refusals.known(call)) is not None:
                raise known
            listing = api_calls.list_call(self.settings, api_calls.INVITATIONS, page_size=1)
            if self.used.has(listing) or self.used.has(call) or self.tokens.die_early:
                works = yield from self._works_with(made.token, listing)
                return works and listing.right != call.right  # else it is the same call, which works by now
            yield from self._probe_for_reason(call, made.answer, requests_made=1 + 2 * len(made.refused))
            return True
        finally:
            self.probing.release()

    def _works_with(self, token: Token, probe: Call) -> Flow[bool]:
        """Return whether a refused token is good for another call; one that is not is dropped."""
        if not self.tokens.is_current(token):
            return False
        worked, probed_with = yield from self._repeated_probe(probe)
        if not worked:
            self.tokens.rejected(probed_with)
            return False
        self.refusals.probed(probe, worked=True)
        return probed_with is token

    def _probe_for_reason(self, call: Call, answer: Answer, *, requests_made: int) -> Flow[None]:
        """Find out why a call was refused, where nothing is known about its rights."""
        while (probe := self.refusals.next_probe(call, answer, requests_made=requests_made)) is not None:
            worked, _ = yield from self._repeated_probe(probe)
            self.refusals.probed(probe, worked=worked)
            requests_made += 1

    def _repeated_probe(self, probe: Call) -> Flow[tuple[bool, Token]]:
        return (yield from retries.repeat(partial(self._probe_once, probe), retries.REPEATABLE, failures=self.failures))

    def _probe_once(self, probe: Call) -> Flow[tuple[bool, Token]]:
        turn = _Turn(self.gate)
        try:
            answer, token = yield from self._request_in_turn(turn, probe)
        finally:
            turn.end()
        if answer.status in _REFUSED_ACCESS:
            return False, token
        self.tokens.accepted(token)  # else the next dead token would be taken for a missing right
        api_answers.read_json(answer, probe.what)
        self.used.note(probe)
        return True, token

    def _request_in_turn(
        self, turn: _Turn, call: Call, before_send: Callable[[], None] | None = None
    ) -> Flow[tuple[Answer, Token]]:
        """Wait for this call's turn, and send it with a token that is good for it.

        The turn ends before the request, unless tokens die early: then only with the caller's.
        """
        since = self.clock()
        yield from turn.begin()
        token = yield from self._token_for(call, since)
        if not self.tokens.die_early:
            turn.end()
        if before_send is not None:
            before_send()
        return (yield from self._request(call, f"Bearer {token.value}", before_send)), token

    def _token_for(self, call: Call, since: float) -> Flow[Token]:
        """Wait for the pace, and return a token; a new one is used at once, since some do not live long."""
        if (known := self.refusals.known(call)) is not None:
            raise known
        yield from self._wait_for_pace()
        if (known := self.refusals.known(call)) is not None:
            raise known
        return self.tokens.current() or (yield from self._renew(since))

    def _renew(self, since: float) -> Flow[Token]:
        """Get a new token, unless another thread or hook of this process just has, or just could not.

        :param since: since when the caller has waited for it.
        """
        # Bounded: a coroutine of this very thread may hold it, or a loop that a signal has ended. Two token requests do
        # no harm.
        patience = self.clock() + self.settings.timeout_seconds
        while not (alone := self.tokens.renewing.acquire(blocking=False)) and self.clock() < patience:
            yield Sleep(_WAIT_FOR_RENEWAL_SECONDS)
        try:
            if (token := self.tokens.current()) is not None:
                return token
            if (failure := self.tokens.failure_since(since)) is not None:
                raise failure
            return (yield from retries.repeat(self._renew_once, retries.REPEATABLE, failures=self.failures))
        except M3terAuthenticationError as error:
            raise self.refusals.refused_credentials(error) from None
        except M3terError as error:
            self.tokens.failed(error)
            raise
        finally:
            if alone:
                self.tokens.renewing.release()

    def _renew_once(self) -> Flow[Token]:
        yield from self._wait_for_pace()
        asked_at = self.clock()
        answer = yield from self._request(api_calls.token_call(self.settings), self.settings.basic_authorization)
        value, lifetime = api_answers.read_token(answer)
        yield Mask(value)
        metrics.add(metrics.TOKEN_RENEWED)
        return self.tokens.renewed(value, issued_at=asked_at, lifetime=lifetime)

    def _wait_for_pace(self) -> Flow[None]:
        while (seconds := self.pacer.try_turn()) > 0:
            yield Sleep(seconds)

    def _request(self, call: Call, authorization: str, before_body: Callable[[], None] | None = None) -> Flow[Answer]:
        """Send one request whose turn it is, and let its answer set the pace."""
        sent_at = self.clock()
        with ObservedRequest(call, self.clock) as request:
            answer: Answer = yield Send(call, authorization, before_body)
            request.status = answer.status
        if answer.status != 429:
            self.pacer.served(sent_at=sent_at)
            return answer
        metrics.add(metrics.RATE_LIMITED)
        if pause := self.pacer.throttled(sent_at=sent_at, retry_after=answer.retry_after):
            metrics.timed(metrics.RATE_LIMIT_WAIT, pause)
            _log.warning("m3ter limits the rate of requests (429); everyone waits %g s and goes on more slowly.", pause)
        return answer
