"""Neither secrets nor people in logs, exceptions, tracebacks or reprs, in good runs and in bad ones."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable

import pytest
from airflow.sdk._shared.secrets_masker import redact

from m3ter_provider.errors import M3terError
from tests.support.hook_clients import Client, person
from tests.support.scripted_server import HangupError, Received, ScriptedServer, answer, created

ClientOf = Callable[..., Client]

SECRETS = ["test-api-secret", "a-token-of-the-test", "dGVzdC1hY2Nlc3MtaWQ6"]
PEOPLE = ["ann.example", "Annabella", "Marker-Surname"]
WORDS = {"message": "Annabella Marker-Surname <ann.example@example.com> is not welcome"}


def hang_up(request: Received) -> bytes:
    raise HangupError


@pytest.mark.parametrize(
    "behaviour",
    [
        created,
        hang_up,
        *(lambda request, status=status: answer(status, WORDS) for status in (302, 400, 401, 403, 404, 409, 429, 500)),
        lambda request: answer(200, WORDS),
        lambda request: answer(200, raw=b"ann.example@example.com"),
        lambda request: answer(200, {"id": 5, "email": ["ann.example@example.com"]}),
    ],
)
def test_logs_and_errors_give_away_no_secret_or_person(
    client_of: ClientOf, behaviour: Callable[[Received], bytes], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    told: list[str] = []
    with ScriptedServer(post=behaviour, get=behaviour) as server:
        client = client_of(server)
        for call in (client.invite, client.invitations, client.test_connection):
            try:
                told.append(repr(call()))
            except M3terError as error:
                told += [str(error), repr(error), *traceback.format_exception(error)]
        hook = client.sync_hook()
        told += [repr(hook), repr(hook.settings), str(hook.settings), repr(person())]
    text = "\n".join([*told, caplog.text])
    assert not [marker for marker in SECRETS + PEOPLE if marker in text]


def test_secret_and_token_are_known_to_airflows_masker(client_of: ClientOf) -> None:
    unmasked = "token: a-second-token-to-be-masked secret: another-api-secret"
    with ScriptedServer(
        token=lambda _: answer(200, {"access_token": "a-second-token-to-be-masked", "expires_in": 100})
    ) as server:
        client = client_of(server)
        client.connection.password = "another-api-secret"
        client.invitations()
    assert redact(unmasked) == "token: *** secret: ***"
