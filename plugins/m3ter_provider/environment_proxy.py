"""The proxy that the environment names, read once for both hooks: ``requests`` and ``aiohttp`` read it differently."""

from __future__ import annotations

from urllib.parse import urlsplit

from m3ter_provider.errors import M3terConfigurationError


def proxy_for(url: str) -> str | None:
    """Return the proxy for a URL, as ``requests`` finds it; None: there is none.

    So ``all_proxy`` counts, too, and ``no_proxy`` may name networks (``10.0.0.0/8``) and ports.

    :raises M3terConfigurationError: when what the environment names cannot be used; it is not quoted, since it may hold
        a password.
    """
    from requests.utils import get_environ_proxies, select_proxy  # only where a connection is opened

    found = (select_proxy(url, get_environ_proxies(url)) or "").strip()
    if not found:
        return None
    proxy = found if "://" in found else f"http://{found.removeprefix('//')}"
    try:
        parts = urlsplit(proxy)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port that is no number
        usable = False
    if not usable:
        raise M3terConfigurationError(
            "The environment's https_proxy or all_proxy names no proxy that can be used. Write http://host:port there,"
            " name the host in no_proxy, or unset it."
        )
    return proxy
