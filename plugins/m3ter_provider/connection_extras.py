"""The extras of a connection of type ``m3ter`` as they were written, before their values are checked."""

from __future__ import annotations

import functools
import json
import logging
from collections.abc import Collection
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from m3ter_provider.errors import M3terConfigurationError

if TYPE_CHECKING:
    from airflow.sdk import Connection

_CLOSE = 0.75
_LEAST_PART = 5
#: What forms of older Airflow versions put before an extra's name.
_OLD_PREFIX = "extra__m3ter__"
#: What Airflow's own HTTP hook reads, of a connection that was of its type before; none of these guards anything.
_OF_HTTP = frozenset(
    {
        *("allow_redirects", "cert", "check_response", "headers", "max_redirects", "proxies", "proxy", "srv_lookup"),
        *("stream", "timeout", "trust_env", "verify", "verify_ssl"),
    }
)

_log = logging.getLogger(__name__)


def read_extras(connection: Connection, conn_id: str, known: Collection[str]) -> dict[str, Any]:
    """Return the extras that are set, by name; texts without the spaces around them.

    An extra without effect may be a guard that somebody relies on: one whose name is close to a known one is an error,
    any other is pointed out once in each process.

    :param known: the names of the extras that there are.
    :raises M3terConfigurationError: naming the extra, without its value.
    """
    extras = {
        name: value.strip() if isinstance(value, str) else value
        for name, value in _as_object(connection, conn_id).items()
        # The form and URIs leave "" where nothing was chosen.
        if value is not None and not (isinstance(value, str) and not value.strip())
    }
    unknown = [name for name in extras if name not in known]
    for name in unknown:
        if name not in _OF_HTTP and (meant := _close_to(name, known)):
            raise M3terConfigurationError(
                f"Connection {conn_id!r} has an extra {name[:60]!r}, which there is not, so it would have no effect."
                f" Write {meant}, or remove it."
            )
    if unknown:
        _point_out(conn_id, ", ".join(sorted(repr(name[:60]) for name in unknown)))
    return extras


def _as_object(connection: Connection, conn_id: str) -> dict[str, Any]:
    try:
        json.loads(connection.extra or "{}")
        extras = connection.extra_dejson
    except ValueError:
        extras = None
    if not isinstance(extras, dict):
        # Airflow takes unreadable extras for none at all; the error would be that org_id is missing.
        raise M3terConfigurationError(
            f"Connection {conn_id!r} has extras that are no JSON object. Write them as "
            '{"org_id": "…"}, or fill in the fields of the form.'
        )
    return extras


def _close_to(name: str, known: Collection[str]) -> str | None:
    plain = name.removeprefix(_OLD_PREFIX).replace("-", "_").lower()
    if matches := get_close_matches(plain[:60], known, n=1, cutoff=_CLOSE):
        return matches[0]
    if len(plain) < _LEAST_PART:
        return None
    return next((one for one in known if plain in one or one in plain), None)


@functools.lru_cache(maxsize=1000)
def _point_out(conn_id: str, names: str) -> None:
    _log.warning("Connection %r has extras that have no effect: %s.", conn_id, names)


@functools.lru_cache(maxsize=1000)
def point_out_organisation(conn_id: str, org_id: str) -> None:
    """Log once in each process that an organisation's id does not look like m3ter's, which are UUIDs."""
    _log.warning(
        "Connection %r names the organisation %s, which is no UUID as m3ter's ids are. If m3ter refuses access (403),"
        " correct its extra org_id.",
        conn_id,
        org_id,
    )
