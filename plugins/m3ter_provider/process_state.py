"""The state that all hooks of a process share: an access key's token, an organisation's pace and its used rights."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from m3ter_provider.auth import TokenLife
from m3ter_provider.pacing import Pacer
from m3ter_provider.used_rights import UsedRights

if TYPE_CHECKING:
    from m3ter_provider.clock import Clock
    from m3ter_provider.connection import ConnectionSettings

_lock = threading.Lock()
_token_lives: dict[tuple[str, str, str, Clock], TokenLife] = {}
_pacers: dict[tuple[str, str, float, Clock], Pacer] = {}
_used_rights: dict[tuple[str, str, str, str, Clock], UsedRights] = {}


def token_life(settings: ConnectionSettings, clock: Clock) -> TokenLife:
    """Return the token life that all hooks of this process share for this access key."""
    key = (settings.base_url, settings.access_key_id, settings.api_secret, clock)
    with _lock:
        return _token_lives.setdefault(key, TokenLife(clock=clock))


def pacer(settings: ConnectionSettings, clock: Clock) -> Pacer:
    """Return the pacer that all hooks of this process share for this organisation."""
    key = (settings.base_url, settings.org_id, settings.requests_per_second, clock)
    with _lock:
        return _pacers.setdefault(key, Pacer(settings.requests_per_second, clock=clock))


def used_rights(settings: ConnectionSettings, clock: Clock) -> UsedRights:
    """Return what m3ter has allowed this process with this access key in this organisation."""
    key = (settings.base_url, settings.org_id, settings.access_key_id, settings.api_secret, clock)
    with _lock:
        return _used_rights.setdefault(key, UsedRights())


def forget_all() -> None:
    """Forget every token, pace and right of this process; for tests, and for a child after a fork."""
    global _lock
    _lock = threading.Lock()
    _token_lives.clear()
    _pacers.clear()
    _used_rights.clear()


# A token belongs to one process, and a lock may have been held by a thread that the child does not have.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget_all)
