"""Programs of the system that some tests need."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def skip_or_fail(missing: str) -> NoReturn:
    """End a test whose program is not installed: in CI, which installs them all, it fails.

    :param missing: what is not there, and how to install it.
    """
    if os.environ.get("CI"):
        pytest.fail(missing)
    pytest.skip(missing)
