"""The statements of the claim as the databases get them, compiled from the source."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Any

import sqlglot
from sqlalchemy import create_engine

from m3ter_onboarding.ledger.claim_statements import ClaimRequest, again, chosen_again, new_rows
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.runs import RunKey

#: By SQLAlchemy's name of a dialect: an address that nothing connects to, and sqlglot's name.
_DIALECTS = {"postgresql": ("postgresql+psycopg://", "postgres"), "sqlite": ("sqlite://", "sqlite")}
#: Values that stand for a parameter, which takes their place in the text.
_LEASE, _SIZE, _ID = 918_273, 645_564, 192_837
_NOW = datetime(2001, 2, 3, 4, 5, 6, tzinfo=timezone.utc)
_PARAMETERS = {
    r"':(\w+)'": r":\1",
    rf"\b{_LEASE}\b": ":lease_ms",
    rf"\b{_SIZE}\b": ":size",
    rf"\(\s*{_ID}\s*\)": "(:invitation_ids)",
    r"(CAST\()?'2001-02-03[^']*'(::\w+( WITH TIME ZONE)?| AS [\w ]+\))?": ":now",
}


def statement(what: str) -> str:
    """Return one statement as a fenced block.

    :param what: ``new``, ``chosen`` or ``again``, and the dialect.
    :raises LookupError: when there is no such statement or dialect.
    """
    name, _, dialect = what.partition(" ")
    if dialect not in _DIALECTS:
        raise LookupError(f"there is no dialect {dialect!r}, only {', '.join(_DIALECTS)}")
    address, known_as = _DIALECTS[dialect]
    db = LedgerDatabase(create_engine(address))
    claim = ClaimRequest(
        run=RunKey(":dag_id", ":run_id"),
        plan_id=":plan_id",
        org_id=":org_id",
        token=":token",  # noqa: S106
        lease_ms=_LEASE,
        size=_SIZE,
        now=_NOW,
    )
    made: dict[str, Any] = {
        "new": lambda: new_rows(db, claim, _SIZE),
        "chosen": lambda: chosen_again(db.tables, claim, _SIZE),
        "again": lambda: again(db.tables, claim, [_ID]),
    }
    if name not in made:
        raise LookupError(f"there is no statement {name!r}, only {', '.join(made)}")
    compiled = made[name]().compile(dialect=db.engine.dialect, compile_kwargs={"literal_binds": True})
    text = sqlglot.transpile(str(compiled).replace("%%", "%"), read=known_as, write=known_as, pretty=True)[0]
    for pattern, parameter in _PARAMETERS.items():
        text = re.sub(pattern, parameter, text)
    return f"```sql\n{text}\n```\n"
