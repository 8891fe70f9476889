"""The pytest fixture ``m3ter_sandbox``; pytest loads this module always, so it imports next to nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from m3ter_sandbox.testing import SandboxServer

__all__ = ["m3ter_sandbox", "m3ter_sandbox_server"]


@pytest.fixture(scope="session")
def m3ter_sandbox_server() -> Iterator[SandboxServer]:
    """Run one sandbox for the whole session; tests use ``m3ter_sandbox``."""
    from m3ter_sandbox.testing import SandboxServer

    with SandboxServer() as server:
        yield server


@pytest.fixture
def m3ter_sandbox(m3ter_sandbox_server: SandboxServer) -> SandboxServer:
    """Return a running local m3ter that holds nothing, with all switches at their defaults."""
    m3ter_sandbox_server.reset()
    return m3ter_sandbox_server
