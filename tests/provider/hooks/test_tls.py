"""https: certificates are checked, with the ones the environment names."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from m3ter_provider.connection import connection_settings
from m3ter_provider.errors import M3terConnectionError
from tests.provider.clients import Client, connection_to
from tests.provider.scripted_server import ScriptedServer

ClientOf = Callable[..., Client]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a self-signed certificate for this machine, its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "m3ter test")])
    now = datetime.now(timezone.utc)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "certificate.pem"
    file.write_bytes(
        signed.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return file


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


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
