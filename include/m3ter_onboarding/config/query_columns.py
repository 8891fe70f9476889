"""Names of the query's columns: the contract's, and those of one's own (``extra_columns``)."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from m3ter_onboarding.config.section import TextList

REQUIRED_COLUMNS = ("employee_id", "email", "first_name", "last_name")
#: Left out by most: who is not to be invited, by the warehouse's own knowledge.
EXCLUSION_COLUMNS = ("exclude", "exclude_until")
OPTIONAL_COLUMNS = ("contact_number", "permission_policies", "start_date", "access_end_date", "time_zone")
#: Left out by most, too: which of several rows of one employee is the newest.
VERSION_COLUMNS = ("updated_at",)
#: There where the key ``organisation`` is set, and only then: whose row it is.
ROUTING_COLUMN = "organisation"
CONTRACT_COLUMNS = REQUIRED_COLUMNS + OPTIONAL_COLUMNS + EXCLUSION_COLUMNS + VERSION_COLUMNS

#: Of one's own so many at most: they are written with every decision.
MOST_EXTRA_COLUMNS = 20


def _names(values: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names in lower case, as columns are compared.

    :raises ValueError: when one is no name of a column, the contract's own, or there twice.
    """
    names = tuple(value.lower() for value in values)
    for name in names:
        if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", name):
            raise ValueError("one of them is no name of a column: letters, digits and '_', not a digit first")
        if name in CONTRACT_COLUMNS:
            raise ValueError(f"{name} is a column of the contract already")
        if name == ROUTING_COLUMN:
            raise ValueError(f"the column {name} decides whose row it is; set the key '{ROUTING_COLUMN}' instead")
    if len(set(names)) < len(names):
        raise ValueError("one of them is there twice")
    return names


ExtraColumns = Annotated[TextList, Field(max_length=MOST_EXTRA_COLUMNS), AfterValidator(_names)]
