"""A connection, in every form in which it can be written."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from airflow.sdk import Connection

from m3ter_provider.connection import ConnectionSettings, connection_settings
from m3ter_provider.errors import M3terConfigurationError, M3terSendingNotAllowedError

ORG_ID = "5a9d0b0c-0000-4000-8000-00000000a5b0"
LOGIN = {"conn_type": "m3ter", "login": "the-access-id", "password": "the-api-secret"}


def settings(extra: object = None, **fields: Any) -> ConnectionSettings:
    fields = {"login": "the-access-id", "password": "the-api-secret", **fields}
    document = json.dumps({"org_id": "org-1", **(extra or {})}) if extra is None or isinstance(extra, dict) else extra
    return connection_settings(Connection(conn_id="m3ter_x", conn_type="m3ter", extra=document, **fields))


def test_a_connection_has_safe_defaults() -> None:
    found = settings()
    assert found.base_url == "https://api.m3ter.com"
    assert (found.requests_per_second, found.timeout_seconds) == (20, 30)
    assert not found.allow_invitations
    assert found.allowed_domains == ()
    assert "the-api-secret" not in repr(found)


def test_a_uri_has_only_text() -> None:
    connection = Connection.from_uri(
        "m3ter://the-access-id:the-api-secret@127.0.0.1:8080/http?org_id=org-1&requests_per_second=12.5"
        "&timeout_seconds=5&allow_invitations=true&allow_http=False&allowed_domains=%40example.com%2C+B%C3%9CCHER.example",
        conn_id="m3ter_x",
    )
    found = connection_settings(connection)
    assert found.base_url == "http://127.0.0.1:8080"
    assert (found.requests_per_second, found.timeout_seconds) == (12.5, 5)
    assert found.allow_invitations
    assert not found.allow_http
    assert found.allowed_domains == ("example.com", "xn--bcher-kva.example")


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({"host": "api.example.com"}, "https://api.example.com"),
        ({"host": "bücher.example"}, "https://xn--bcher-kva.example"),
        ({"host": "api.example.com", "port": 8443}, "https://api.example.com:8443"),
        ({"host": "https://api.example.com/m3ter/"}, "https://api.example.com/m3ter"),
        ({"host": "api.example.com", "schema": "https"}, "https://api.example.com"),
        ({"host": "http://localhost:8080"}, "http://localhost:8080"),
        ({"host": "http://[::1]:8080"}, "http://[::1]:8080"),
        ({"host": "::1", "schema": "http", "port": 81}, "http://[::1]:81"),
        ({"host": "::1", "schema": "http", "port": 80}, "http://[::1]"),
        ({"host": "", "port": 443}, "https://api.m3ter.com"),
        ({"host": "https://api.example.com", "port": 443}, "https://api.example.com"),
        ({"host": "https://api.example.com", "port": 80}, "https://api.example.com:80"),
        ({"host": "", "password": " the-api-secret\n"}, "https://api.m3ter.com"),
    ],
)
def test_a_host_becomes_a_base_url(fields: dict[str, Any], url: str) -> None:
    found = settings(**fields)
    assert found.base_url == url
    assert found.api_secret == "the-api-secret"


@pytest.mark.parametrize(
    "host",
    [
        "http://api.example.com",
        "http://10.0.0.1:8080",
        "http://localhost.example.com",
        "http://evil.localhost",
        "http://localhost.:8080",
        "http://[::ffff:127.0.0.1]:8080",
        "http://0.0.0.0:8080",
        "http://127.1:8080",
    ],
)
def test_plain_http_needs_permission_off_this_machine(host: str) -> None:
    with pytest.raises(M3terConfigurationError, match="without encryption"):
        settings(host=host)
    assert settings({"allow_http": True}, host=host).base_url == host


@pytest.mark.parametrize(
    "host",
    [
        "ftp://api.example.com",
        "https://",
        "https://me@api.example.com",
        "https://api.m3ter.com/organizations/org-1",
        "https://x/?a=b",
        "https://x:port",
        "ex ample.com",
    ],
)
def test_a_host_that_is_no_api_is_refused(host: str) -> None:
    with pytest.raises(M3terConfigurationError, match="host"):
        settings(host=host)


@pytest.mark.parametrize(
    ("extra", "named"),
    [
        ({"org_id": ""}, "org_id"),
        ({"org_id": "../other"}, "org_id"),
        ({"requests_per_second": "many"}, "requests_per_second"),
        ({"requests_per_second": 0}, "requests_per_second"),
        ({"requests_per_second": "nan"}, "requests_per_second"),
        ({"timeout_seconds": -1}, "timeout_seconds"),
        ({"timeout_seconds": "inf"}, "timeout_seconds"),
        ({"allow_invitations": "perhaps"}, "allow_invitations"),
        ({"allow_invitations": 2}, "allow_invitations"),
        ({"allow_invitations": 1}, "allow_invitations"),
        ({"allow_invitations": "yes"}, "allow_invitations"),
        ({"allow_invitations": "1"}, "allow_invitations"),
        ({"allow_http": "enabled"}, "allow_http"),
        ({"allowed_domains": {"a": 1}}, "allowed_domains"),
        ({"allowed_domains": ["ann@example.com"]}, "allowed_domains"),
        ({"allowed_domains": ["example"]}, "allowed_domains"),
        ({"allowed_domains": " , "}, "allowed_domains"),
        ({"allowed_domains": "*.example.com"}, "allowed_domains"),
        ({"allowed_domains": "a.com;b.com"}, "allowed_domains"),
        ({"requests_per_second": 0.01}, "requests_per_second"),
        ({"timeout_seconds": True}, "timeout_seconds"),
    ],
)
def test_a_wrong_extra_is_named_and_not_quoted(extra: dict[str, Any], named: str) -> None:
    with pytest.raises(M3terConfigurationError, match=named) as error:
        settings(extra)
    for value in extra.values():
        assert not value or str(value) not in str(error.value)
    assert error.value.__cause__ is None


@pytest.mark.parametrize("extra", ['{"org_id": "org-1"', "[1]", '"org-1"', "org_id=org-1", "null"])
def test_extras_that_are_no_json_object_are_refused(extra: str) -> None:
    """Airflow itself takes them for none at all, and then another one would be missed."""
    with pytest.raises(M3terConfigurationError, match="no JSON object") as error:
        settings(extra)
    assert "org-1" not in str(error.value)


@pytest.mark.parametrize("missing", ["login", "password"])
def test_missing_credentials_are_named(missing: str) -> None:
    with pytest.raises(M3terConfigurationError, match=missing):
        settings(**{missing: None})


def test_empty_choices_of_the_form_are_defaults() -> None:
    found = settings({"requests_per_second": None, "allowed_domains": "", "allow_invitations": None})
    assert found.requests_per_second == 20
    assert found.allowed_domains == ()
    assert not found.allow_invitations


def test_a_connection_without_permission_may_invite_nobody() -> None:
    with pytest.raises(M3terSendingNotAllowedError, match="allow_invitations") as error:
        settings().assert_may_invite("ann.example@example.com")
    assert "a***@example.com" in str(error.value)
    assert "ann.example" not in str(error.value)


def test_only_allowed_domains_may_be_invited() -> None:
    found = settings({"allow_invitations": True, "allowed_domains": ["Example.com", "bücher.example"]})
    found.assert_may_invite("ann@EXAMPLE.com")
    found.assert_may_invite("ann@xn--bcher-kva.example")
    for address in ("ann@sub.example.com", "ann@example.org", "ann@example.com.evil.org", "ann"):
        with pytest.raises(M3terSendingNotAllowedError):
            found.assert_may_invite(address)


def test_a_connection_of_another_type_sends_its_credentials_nowhere() -> None:
    other = Connection(
        conn_id="warehouse", conn_type="postgres", login="me", password="pw", extra='{"org_id": "org-1"}'
    )
    with pytest.raises(M3terConfigurationError, match=r"'warehouse' is of another type \(postgres\)"):
        connection_settings(other)


@pytest.mark.parametrize(
    "address",
    [
        "eve@evil.example, ann@example.com",
        '"eve@evil.example"@example.com',
        "eve@evil.example\u200b@example.com",
        "ann@",
    ],
)
def test_a_domain_is_that_of_the_only_address(address: str) -> None:
    with pytest.raises(M3terSendingNotAllowedError, match="not exactly one e-mail address"):
        settings({"allow_invitations": True, "allowed_domains": "example.com"}).assert_may_invite(address)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("allowed_domain", "allowed_domains"),
        ("allow_domains", "allowed_domains"),
        ("Allowed-Domains", "allowed_domains"),
        ("domains", "allowed_domains"),
        ("allow_invitation", "allow_invitations"),
        ("orgId", "org_id"),
        ("timeout_second", "timeout_seconds"),
        ("requests_per_sec", "requests_per_second"),
        ("extra__m3ter__allowed_domains", "allowed_domains"),
    ],
)
def test_a_misspelt_extra_is_an_error_that_names_the_right_one(written: str, meant: str) -> None:
    """A guard that is misspelt guarded nothing: everybody's domain was e-mailed."""
    with pytest.raises(M3terConfigurationError, match=f"Write {meant}, or remove it") as error:
        settings({"allow_invitations": True, written: "secret-value"})
    assert written in str(error.value)
    assert "secret-value" not in str(error.value)


def said(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.name == "m3ter_provider.connection_extras"]


def test_an_extra_with_any_name_is_pointed_out_in_one_line_that_can_be_written(
    caplog: pytest.LogCaptureFixture,
) -> None:
    extra = json.dumps({"org_id": ORG_ID, "\ud800": 1, "a\nb": 1, "\0": 1})
    connection_settings(Connection(conn_id="m3ter_strange", **LOGIN, extra=extra))
    (message,) = [record.getMessage() for record in said(caplog)]
    assert message.isprintable()
    assert message.encode()


def test_other_extras_are_pointed_out_once(caplog: pytest.LogCaptureFixture) -> None:
    extra = {"org_id": ORG_ID, "owner": "ops@example.com", "verify": True, "timeout": 5}
    for _ in range(3):
        connection_settings(Connection(conn_id="m3ter_extras", **LOGIN, extra=json.dumps(extra)))
    assert [record.getMessage() for record in said(caplog)] == [
        "Connection 'm3ter_extras' has extras that have no effect: 'owner', 'timeout', 'verify'."
    ]


@pytest.mark.parametrize(("org_id", "warnings"), [(ORG_ID, 0), (ORG_ID.upper(), 0), ("acme", 1)])
def test_an_organisation_id_that_is_no_uuid_is_pointed_out(
    org_id: str, warnings: int, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        connection_settings(Connection(conn_id="m3ter_org", **LOGIN, extra=json.dumps({"org_id": org_id})))
    assert len(said(caplog)) == warnings
    assert all("no UUID" in record.getMessage() for record in said(caplog))
