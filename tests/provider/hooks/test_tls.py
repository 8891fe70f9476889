"""https: certificates are checked, with the ones the environment names."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from m3ter_provider.connection import connection_settings
from m3ter_provider.errors import M3terConfigurationError, M3terConnectionError
from tests.support.hook_clients import Client, connection_to
from tests.support.scripted_server import ScriptedServer

ClientOf = Callable[..., Client]


def test_a_stranger_gets_no_credentials(client_of: ClientOf, tls: ssl.SSLContext) -> None:
    with ScriptedServer(tls=tls) as server:
        with pytest.raises(M3terConnectionError, match="nothing happened"):
            client_of(server).invite()
        assert not server.received


def test_the_environments_certificates_are_trusted(
    client_of: ClientOf, tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with ScriptedServer(tls=tls) as server:
        client_of(server).invite()
        assert len(server.posts) == 1


def test_the_environments_proxy_is_for_https_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy.example.com:3128")
    monkeypatch.setenv("no_proxy", "inside.example.com")
    assert connection_settings(connection_to("https://api.m3ter.com")).proxy == "http://proxy.example.com:3128"
    assert connection_settings(connection_to("https://inside.example.com")).proxy is None
    assert connection_settings(connection_to("http://127.0.0.1:80")).proxy is None


def test_a_proxy_may_be_written_without_its_scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "proxy.example.com:3128")
    monkeypatch.delenv("no_proxy", raising=False)
    assert connection_settings(connection_to("https://api.m3ter.com")).proxy == "http://proxy.example.com:3128"


def _without_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(
    ("environment", "host", "proxied"),
    [
        ({"https_proxy": "{proxy}"}, "https://api.m3ter.invalid", True),
        ({"https_proxy": "me:secret@{proxy}"}, "https://api.m3ter.invalid", True),
        ({"https_proxy": " //{proxy} "}, "https://api.m3ter.invalid", True),
        ({"all_proxy": "http://{proxy}"}, "https://api.m3ter.invalid", True),
        ({"https_proxy": "{proxy}", "no_proxy": "127.0.0.0/8"}, "https://127.0.0.1:{closed}", False),
        ({"https_proxy": "{proxy}", "no_proxy": "localhost:{closed}"}, "https://localhost:{closed}", False),
        ({"https_proxy": "{proxy}", "no_proxy": "localhost:1"}, "https://localhost:{closed}", True),
    ],
)
def test_both_hooks_read_the_proxy_alike(
    kind: str, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], host: str, proxied: bool
) -> None:
    """One that asked another way than the other would work in the test of the connection, and not in the tasks."""
    _without_proxies(monkeypatch)
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        known = {"proxy": f"127.0.0.1:{one.getsockname()[1]}", "closed": str(other.getsockname()[1])}
    for name, value in environment.items():
        monkeypatch.setenv(name, value.format(**known))
    with pytest.raises(M3terConnectionError) as error:
        Client(kind, connection_to(host.format(**known))).invite()
    assert ("the proxy that the environment names" in str(error.value)) is proxied
    assert ("nothing listens there" in str(error.value)) is not proxied


@pytest.mark.parametrize(
    "value", ["socks5://127.0.0.1:1080", "ftp://127.0.0.1:9", "http://", "127.0.0.1:x", "http://:9"]
)
def test_a_proxy_that_cannot_be_used_is_named_by_its_variable(
    kind: str, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    _without_proxies(monkeypatch)
    monkeypatch.setenv("https_proxy", value)
    with pytest.raises(M3terConfigurationError, match="https_proxy or all_proxy names no proxy"):
        Client(kind, connection_to("https://api.m3ter.invalid")).invite()


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
@pytest.mark.parametrize("content", [None, "no certificate"])
def test_certificates_that_cannot_be_read_are_named(
    client_of: ClientOf,
    tls: ssl.SSLContext,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    variable: str,
    content: str | None,
) -> None:
    bundle = tmp_path / "certificates.pem"
    if content is not None:
        bundle.write_text(content)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, str(bundle))
    with ScriptedServer(tls=tls) as server:
        with pytest.raises(M3terConfigurationError, match=f"{variable} names .*certificates.pem"):
            client_of(server).invite()
        assert not server.received
