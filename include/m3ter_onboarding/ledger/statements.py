"""Statements that are built once: building one takes longer than SQLite needs for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import ParamSpec, TypeVar, cast

Given = ParamSpec("Given")
Statement = TypeVar("Statement")


def built_once(build: Callable[Given, Statement]) -> Callable[Given, Statement]:
    """Build a statement once for each ledger, and once for each of its forms; its values are parameters.

    :param build: a function of the ledger's tables, and of what makes another form of it.
    """
    return cast("Callable[Given, Statement]", lru_cache(maxsize=16)(build))
