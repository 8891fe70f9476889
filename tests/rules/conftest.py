"""The rules on SQLite are fast tests; the same once more on PostgreSQL have a target of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the second of the two."""
    for item in items:
        if item.path.is_relative_to(HERE) and "postgresql" in item.name.partition("[")[2].rstrip("]").split("-"):
            item.add_marker(pytest.mark.again_on_postgresql)
