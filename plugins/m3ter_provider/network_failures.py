"""Why no connection could be made, read from the error of an HTTP library, with the way out."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator

_PROXY = (
    "the proxy that the environment names (https_proxy) did not let us through. Check that proxy, or name the host in "
    "no_proxy"
)
_NAME = (
    "its host name cannot be looked up (DNS). Check the connection's host for a misspelling, and this machine's name "
    "resolution"
)
_CERTIFICATE = (
    "its TLS certificate is not trusted. Check the connection's host; if your company's network re-signs traffic, name "
    "its certificates in REQUESTS_CA_BUNDLE"
)
_TLS = (
    "it does not speak TLS there. Check the connection's host and port; a server without TLS needs http:// in the host"
)
_REFUSED = "nothing listens there. Check the connection's host and port, and that the service runs"
_TIME_OUT = "nobody answered in time. Check the connection's host, and whether a firewall lets this machine out"
_OTHER = "the network failed. Check the connection's host and the network"


def why_unreachable(error: BaseException) -> str:
    """Return why no connection was made, and what to do; no values.

    :param error: the error of ``requests`` or ``aiohttp``.
    """
    causes = list(_causes(error))
    names = {cls.__name__ for cause in causes for cls in type(cause).__mro__}

    def among(*kinds: type[BaseException]) -> bool:
        return any(isinstance(cause, kinds) for cause in causes)

    if names & {"ProxyError", "ClientProxyConnectionError", "ClientHttpProxyError"}:
        return _PROXY
    if among(socket.gaierror) or "ClientConnectorDNSError" in names:
        return _NAME
    if among(ssl.SSLCertVerificationError):
        return _CERTIFICATE
    if among(ssl.SSLError):
        return _TLS
    if among(ConnectionRefusedError):
        return _REFUSED
    timed_out = {"ConnectTimeout", "ConnectTimeoutError", "ServerTimeoutError"}
    if among(TimeoutError, asyncio.TimeoutError) or names & timed_out:  # two classes before Python 3.11
        return _TIME_OUT
    return _OTHER


def concerns_tls(error: BaseException) -> bool:
    """Return whether TLS could not be agreed on; a connection that was cut off later is something else."""
    return any(isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError) for cause in _causes(error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it wraps: urllib3 and aiohttp word the same failures differently around the same ones."""
    seen: set[int] = set()
    ahead = [error]
    while ahead:
        one = ahead.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        wrapped = (one.__cause__, one.__context__, *one.args, getattr(one, "reason", None))
        wrapped += (getattr(one, "os_error", None), getattr(one, "certificate_error", None))
        ahead += [item for item in wrapped if isinstance(item, BaseException)]
