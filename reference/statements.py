"""The statements of the claim as the databases get them, compiled from the source."""

from __future__ import annotations

import re
from typing import Any

import sqlglot
from sqlalchemy import create_engine, literal_column

from m3ter_onboarding.ledger.claim_statements import ClaimValues, again, chosen_again, new_rows
from m3ter_onboarding.ledger.tables import tables_in

#: By SQLAlchemy's name of a dialect: an address that nothing connects to, and sqlglot's name.
_DIALECTS = {"postgresql": ("postgresql+psycopg://", "postgres"), "sqlite": ("sqlite://", "sqlite")}
#: A text takes the place of a parameter, and becomes one in the written statement.
_PARAMETER = re.compile(r"':(\w+)'")


def statement(what: str) -> str:
    """Return one statement as a fenced block.

    :param what: ``new``, ``chosen`` or ``again``, and the dialect.
    :raises LookupError: when there is no such statement or dialect.
    """
    name, _, dialect = what.partition(" ")
    if dialect not in _DIALECTS:
        raise LookupError(f"there is no dialect {dialect!r}, only {', '.join(_DIALECTS)}")
    address, known_as = _DIALECTS[dialect]
    claim = ClaimValues.of(lambda name: literal_column(f"':{name}'"), [literal_column("':invitation_ids'")])
    tables = tables_in(None)
    made: dict[str, Any] = {
        "new": lambda: new_rows(tables, dialect, claim),
        "chosen": lambda: chosen_again(tables, claim),
        "again": lambda: again(tables, claim),
    }
    if name not in made:
        raise LookupError(f"there is no statement {name!r}, only {', '.join(made)}")
    engine = create_engine(address)
    compiled = made[name]().compile(dialect=engine.dialect, compile_kwargs={"literal_binds": True})
    text = sqlglot.transpile(str(compiled).replace("%%", "%"), read=known_as, write=known_as, pretty=True)[0]
    text = _PARAMETER.sub(r":\1", text)
    return f"```sql\n{text}\n```\n"
