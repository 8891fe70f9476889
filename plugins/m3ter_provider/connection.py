"""The fields of an Airflow connection of type ``m3ter``, checked once."""

from __future__ import annotations

import base64
import ipaddress
import os
import re
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from m3ter_provider.answer_values import is_whole_text
from m3ter_provider.connection_extras import point_out_organisation, read_extras
from m3ter_provider.email_identity import ascii_domain, email_domain, is_one_address, mask_email
from m3ter_provider.environment_proxy import proxy_for
from m3ter_provider.errors import M3terConfigurationError, M3terSendingNotAllowedError
from m3ter_provider.pasted_text import trim

if TYPE_CHECKING:
    from airflow.sdk import Connection

DEFAULT_HOST = "https://api.m3ter.com"

#: In characters; m3ter's own have 36, and a ledger keeps no longer ones.
LONGEST_ORG_ID = 64

#: Seconds for which an unused connection is kept. Shorter than any server's: a POST on one that the server is just
#: closing would have an unknown outcome.
IDLE_CONNECTION_SECONDS = 3.0


def _domains(value: Any) -> Any:
    """Accept a list or text with commas; ``@example.com`` is ``example.com``."""
    if isinstance(value, str):
        value = [part for part in value.split(",") if part.strip()] or ["no domain at all"]
    if not isinstance(value, list | tuple) or not all(isinstance(part, str) for part in value):
        raise ValueError("not a list of domains")
    return tuple(ascii_domain(trim(part).removeprefix("@").removesuffix(".")) for part in value)


def _no_flag(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("not a number")
    return value


def _flag(value: Any) -> bool:
    """Accept a boolean, or the same as text, which is all that a URI can hold."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise ValueError("neither true nor false")


# One that can match nobody, such as *.example.com, would be a rule without effect.
_Domain = Annotated[str, Field(pattern=r"^[\w-]+(\.[\w-]+)+$")]
_Flag = Annotated[bool, BeforeValidator(_flag)]
_Number = Annotated[float, BeforeValidator(_no_flag)]


class ConnectionSettings(BaseModel):
    """A checked connection.

    :param conn_id: the connection's id, for messages.
    :param base_url: the API's base URL without a slash at its end.
    :param org_id: the organisation.
    :param access_key_id: the service user's access key id.
    :param api_secret: its secret; not in the repr.
    :param requests_per_second: the most requests a second, everything counted.
    :param timeout_seconds: the longest one request may take, connecting included.
    :param allow_invitations: whether this connection may send e-mails to people at all.
    :param allowed_domains: the only domains (in ASCII form) that may be e-mailed; empty: all.
    :param allow_http: whether credentials may travel without TLS to another machine.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    conn_id: str
    base_url: str
    org_id: str = Field(max_length=LONGEST_ORG_ID, pattern=r"^[A-Za-z0-9._~-]*[A-Za-z0-9][A-Za-z0-9._~-]*$")
    access_key_id: str = Field(repr=False)
    api_secret: str = Field(repr=False)
    requests_per_second: _Number = Field(default=20.0, ge=0.1, le=1000, allow_inf_nan=False)
    timeout_seconds: _Number = Field(default=30.0, ge=0.1, le=600, allow_inf_nan=False)
    allow_invitations: _Flag = False
    allowed_domains: Annotated[tuple[_Domain, ...], BeforeValidator(_domains)] = ()
    allow_http: _Flag = False

    @property
    def connect_timeout_seconds(self) -> float:
        """The longest that connecting alone may take, in seconds."""
        return min(10.0, self.timeout_seconds / 2)

    @property
    def uses_tls(self) -> bool:
        """Whether m3ter is reached by https."""
        return self.base_url.startswith("https:")

    @property
    def basic_authorization(self) -> str:
        """The header of a token request; a secret."""
        credentials = f"{self.access_key_id}:{self.api_secret}".encode()
        return f"Basic {base64.b64encode(credentials).decode('ascii')}"

    @property
    def proxy(self) -> str | None:
        """The proxy that the environment (``https_proxy``, ``no_proxy``) names for m3ter; none for plain http.

        :raises M3terConfigurationError: when it cannot be used.
        """
        return proxy_for(self.base_url) if self.uses_tls else None

    @property
    def ca_bundle(self) -> str | None:
        """The file or folder of certificates that the environment names, in the way ``requests`` reads it."""
        name = self._ca_variable
        return None if name is None else os.environ[name]

    @property
    def _ca_variable(self) -> str | None:
        return next((name for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE") if os.environ.get(name)), None)

    def tls_context(self) -> ssl.SSLContext | None:
        """Return the certificates that the environment names, ready for use; None: the system's own.

        :raises M3terConfigurationError: naming variable and path, when they cannot be read.
        """
        bundle = self.ca_bundle
        if bundle is None or not self.uses_tls:
            return None
        context = ssl.create_default_context()
        try:
            context.load_verify_locations(**{"capath" if Path(bundle).is_dir() else "cafile": bundle})
        except OSError as error:  # ssl.SSLError is one
            why = "is no file of certificates" if isinstance(error, ssl.SSLError) else error.strerror or "is not there"
            raise M3terConfigurationError(
                f"The environment's {self._ca_variable} names certificates that cannot be read: {bundle} ({why})."
                " Correct it, or unset it."
            ) from None
        return context

    def assert_may_invite(self, email: str) -> None:
        """Check that this connection allows an e-mail to this address.

        :raises M3terSendingNotAllowedError: if not, with the extra to change.
        """
        if not self.allow_invitations:
            self.assert_may_invite_anybody(f"{mask_email(email)} was not invited")
        if email.strip() in ("", "None"):
            raise M3terSendingNotAllowedError(
                "The e-mail address is empty, perhaps since a template had no value. Nothing was sent; give an address."
            )
        if not is_one_address(email.strip()):
            raise M3terSendingNotAllowedError(
                f"Connection {self.conn_id!r} sends to one address at a time, and {mask_email(email)} is not exactly "
                "one e-mail address; nothing was sent. Correct it."
            )
        if self.allowed_domains and email_domain(email) not in self.allowed_domains:
            raise M3terSendingNotAllowedError(
                f"Connection {self.conn_id!r} does not allow invitations to the domain of {mask_email(email)}, "
                "which was not invited. Add the domain to the extra allowed_domains if that is meant."
            )

    def assert_may_invite_anybody(self, consequence: str = "nothing was asked of m3ter") -> None:
        """Check that this connection allows e-mails at all.

        :param consequence: what follows if not, for the message.
        :raises M3terSendingNotAllowedError: if not.
        """
        if not self.allow_invitations:
            raise M3terSendingNotAllowedError(
                f"Connection {self.conn_id!r} does not allow invitations, so {consequence}. "
                "Set its extra allow_invitations to true if real people may be e-mailed through it."
            )


def connection_settings(connection: Connection) -> ConnectionSettings:
    """Read and check a connection, however it was written: in the form, as JSON, as a URI (where all extras are text).

    Only the documented extras are looked at; see :func:`~m3ter_provider.connection_extras.read_extras` for others.

    :param connection: the connection as Airflow gives it.
    :raises M3terConfigurationError: naming what to change, without any value.
    """
    conn_id = connection.conn_id or "m3ter_default"
    extras = read_extras(connection, conn_id, _EXPECTED)
    if connection.conn_type not in _TYPES:
        raise M3terConfigurationError(
            f"Connection {conn_id!r} is of another type ({connection.conn_type}), so its credentials are not m3ter's. "
            "Name a connection of type m3ter."
        )
    access_key_id, api_secret = (connection.login or "").strip(), (connection.password or "").strip()
    for value, name in ((access_key_id, "login (access key id)"), (api_secret, "password (API secret)")):
        if not value:
            raise M3terConfigurationError(f"Connection {conn_id!r} has no {name}. Add it to the connection.")
        if not is_whole_text(value):
            raise M3terConfigurationError(
                f"Connection {conn_id!r} has a {name} with a character that cannot be sent. Enter it again."
            )
    if "org_id" not in extras:
        raise M3terConfigurationError(
            f"Connection {conn_id!r} has no organisation. Add the extra org_id, the organisation's id in m3ter."
        )
    try:
        settings = ConnectionSettings.model_validate(
            {
                **extras,
                "conn_id": conn_id,
                "base_url": _base_url(connection, conn_id),
                "access_key_id": access_key_id,
                "api_secret": api_secret,
            }
        )
    except ValidationError as error:
        names = sorted({str(fault["loc"][0]) for fault in error.errors(include_input=False, include_url=False)})
        problem = ", ".join(f"{name} ({_EXPECTED.get(name, 'a valid value')})" for name in names)
    else:
        if not settings.uses_tls and not settings.allow_http and not _is_loopback(settings.base_url):
            raise M3terConfigurationError(
                f"Connection {conn_id!r} would send credentials to another machine without encryption. Use https "
                "for its host, or set its extra allow_http to true if that network is safe."
            )
        if not _UUID.fullmatch(settings.org_id):
            point_out_organisation(conn_id, settings.org_id)
        return settings
    raise M3terConfigurationError(f"Connection {conn_id!r} has a wrong value in its extras; expected: {problem}.")


# Those without a type, or of Airflow's plain types, may have been made before this provider was installed.
_TYPES = frozenset({"m3ter", "http", "https", "generic", "", None})
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_HOST = re.compile(r"[\w.:-]+")
_LOOPBACK_4, _LOOPBACK_6 = ipaddress.IPv4Network("127.0.0.0/8"), ipaddress.IPv6Address("::1")

_EXPECTED = {
    "org_id": "the organisation's id, letters, digits and -, at most 64 characters",
    "requests_per_second": "a number from 0.1 to 1000",
    "timeout_seconds": "a number of seconds from 0.1 to 600",
    "allow_invitations": "true or false",
    "allow_http": "true or false",
    "allowed_domains": "domains such as example.com, as a list or separated by commas",
}


def _base_url(connection: Connection, conn_id: str) -> str:
    host, schema = (connection.host or "").strip(), (connection.schema or "").strip().lower()
    if not host:
        host = DEFAULT_HOST
    elif "://" not in host:
        if schema not in ("", "https", "http"):
            raise M3terConfigurationError(
                f"Connection {conn_id!r} has a schema other than https and http. Remove it from the connection."
            )
        # An IPv6 address loses its brackets in Airflow's URIs.
        host = f"{schema or 'https'}://{f'[{host}]' if host.count(':') > 1 and '[' not in host else host}"
    try:
        url = urlsplit(host)
        port = url.port or connection.port
    except ValueError:
        url, port = urlsplit(""), None
    more = url.query or url.fragment or "@" in url.netloc or "/organizations" in url.path
    usable = is_whole_text(host) and not more
    if url.scheme not in ("https", "http") or not url.hostname or not usable or not _HOST.fullmatch(url.hostname):
        raise M3terConfigurationError(
            f"Connection {conn_id!r} has a host that is no URL of an API. Use {DEFAULT_HOST}, or leave it empty."
        )
    if port == {"https": 443, "http": 80}[url.scheme]:
        port = None
    name = f"[{url.hostname}]" if ":" in url.hostname else ascii_domain(url.hostname)
    return f"{url.scheme}://{name}{f':{port}' if port else ''}{url.path.rstrip('/')}"


def _is_loopback(base_url: str) -> bool:
    """Decide whether credentials stay on this machine; a name below ``.localhost`` leads where the resolver says."""
    name = (urlsplit(base_url).hostname or "").lower()
    if name == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return address in _LOOPBACK_4 if isinstance(address, ipaddress.IPv4Address) else address == _LOOPBACK_6
