"""The new-hire contract: which columns the query returns.

Whether they are right is known before the first row is read, and a wrong one stops the run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

from m3ter_onboarding.config.query_columns import (
    CONTRACT_COLUMNS,
    EXCLUSION_COLUMNS,
    OPTIONAL_COLUMNS,
    REQUIRED_COLUMNS,
    ROUTING_COLUMN,
    VERSION_COLUMNS,
)
from m3ter_onboarding.errors import SourceError
from m3ter_onboarding.privacy import mask_addresses, repr_of

#: Beside ``email``, in the query of the access review.
JOB_COLUMNS = ("employee_id", "permission_policies", "access_end_date", "time_zone")

#: Columns of all queries that hold days, or instants.
DAY_COLUMNS = ("start_date", "access_end_date", "exclude_until", "until", "updated_at")

#: Characters of a column's name that are compared and quoted: a driver may name one by its whole expression.
_LONGEST_SHOWN = 80


class SourceRow(NamedTuple):
    """One row of the query: its number in the answer, from 1, and its values by column name in lower case."""

    row_no: int
    values: Mapping[str, Any]

    def __repr__(self) -> str:
        """Name nobody."""
        return repr_of(self, "row_no")


def check_columns(names: Sequence[str], extra: Sequence[str] = (), *, routed: bool = False) -> tuple[str, ...]:
    """Check the query's columns against the contract.

    :param names: as the database gives them; warehouses that fold names to upper case are fine.
    :param extra: the configured ``extra_columns``, which the query must have too.
    :param routed: whether the query must have the column ``organisation``; else it must not.
    :returns: the names in lower case, in the query's order.
    :raises SourceError: naming every column that is missing, unknown or there twice.
    """
    folded = tuple(name.strip().lower() for name in names)
    required = (*REQUIRED_COLUMNS, *((ROUTING_COLUMN,) if routed else ()), *extra)
    contract = (*CONTRACT_COLUMNS, *required[len(REQUIRED_COLUMNS) :])
    problems = []
    missing = [name for name in required if name not in folded]
    if missing:
        problems.append(f"lacks {_listed(missing)}")
    unknown = [name for name in folded if name not in contract]
    if unknown:
        free = [name for name in contract if name not in folded]
        unknown = [name[:_LONGEST_SHOWN] for name in unknown]
        hints = {name: get_close_matches(name, free, n=1) for name in unknown}
        shown = [f"{name!r}" + (f" (did you mean {hint[0]}?)" if hint else "") for name, hint in hints.items()]
        problems.append(f"has {mask_addresses(_listed(shown))}, which the contract does not know")
    twice = [name for name, times in Counter(folded).items() if times > 1]
    if twice:
        problems.append(f"has {mask_addresses(_listed(twice))} more than once")
    if ROUTING_COLUMN in unknown:
        problems.append(
            f"whose row it is can be told by the column {ROUTING_COLUMN} only where the configuration has the key"
            f" {ROUTING_COLUMN!r}"
        )
    if problems:
        optional = OPTIONAL_COLUMNS + EXCLUSION_COLUMNS + VERSION_COLUMNS
        raise SourceError(
            f"The query {', and '.join(problems)}. Its columns must be {_listed(required)}, and may"
            f" be {_listed(optional)}; rename them with AS, or list columns of your own as"
            " `extra_columns`. Nothing was read and nothing is sent."
        )
    return folded


def check_job_columns(names: Sequence[str]) -> tuple[str, ...]:
    """Check the columns of the query of the access review.

    :param names: as the database gives them.
    :returns: their names in lower case, in the query's order.
    :raises SourceError: when one is missing, unknown or there twice.
    """
    folded = tuple(name.strip().lower() for name in names)
    if "email" not in folded or set(folded) - {"email", *JOB_COLUMNS} or len(set(folded)) < len(folded):
        raise SourceError(
            f"The query of `access_review` has the columns {mask_addresses(_listed(folded))}. It must have email, may"
            f" have {_listed(JOB_COLUMNS)}, each once, and no others. Nothing was changed by this review."
        )
    return folded


def check_exclusion_columns(names: Sequence[str]) -> tuple[str, ...]:
    """Check the columns of the query of ``exclude``.

    :param names: as the database gives them.
    :returns: their names in lower case, in the query's order.
    :raises SourceError: when one is unknown or there twice, or none of them names people.
    """
    folded = tuple(name.strip().lower() for name in names)
    people, about = ("employee_id", "email"), ("reason", "until")
    if not set(folded) & set(people) or set(folded) - {*people, *about} or len(set(folded)) < len(folded):
        raise SourceError(
            f"The query of `exclude` has the columns {mask_addresses(_listed(folded))}. It must have"
            f" {' or '.join(people)}, may have {' and '.join(about)}, each once, and no others. Nothing is sent."
        )
    return folded


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
