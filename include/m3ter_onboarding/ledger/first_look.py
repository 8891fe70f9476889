"""The first look: before a configuration's first e-mail, a person has seen what it would send.

Unpausing a DAG with a schedule starts a run at once, before anybody could look. So runs plan only until a run that
sends nothing by its mode has made a plan (docs/delivery.md, rule 5).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, exists, or_, select

from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.statements import built_once
from m3ter_onboarding.ledger.tables import Tables

#: Modes of runs that look and send nothing, as ``m3ter_onboarding_plan`` has them.
_LOOKING_MODES = ("dry_run", "baseline")

#: The end of "Nothing of it will be sent: …".
NO_FIRST_LOOK = (
    "it would be the first e-mail of this configuration, and no run with mode `dry_run` or `baseline` has shown in this"
    " ledger what would be sent. Start one and look at its decisions; then clear this run, or wait for the next one,"
    " which reads these days again."
)


def was_looked_at(
    db: LedgerDatabase, config_name: str, org_id: str, config_hash: str, only_employee: str | None = None
) -> bool:
    """Return whether a dry run or a baseline of a configuration has made its plan in this ledger.

    A look at one person is none at everybody. A configuration by which an earlier version of this package has sent
    needs none. One that was only renamed needs no other: with the very same content one has sent before, under another
    name.

    :param org_id: the organisation that the m3ter connection names; a look at another one does not count.
    :param config_hash: of the configuration's content, without its name.
    :param only_employee: the person that the run is about; a look at them alone counts, too.
    """
    found = _looks(db.tables, only_employee is not None)
    given = {
        "config_name": config_name,
        "org_id": org_id,
        "config_hash": config_hash,
        "only_employee": only_employee,
    }
    return bool(db.read(lambda c: c.execute(found, given).scalar_one(), doing="looking for a look"))


@built_once
def _looks(t: Tables, at_one_person: bool) -> Select[Any]:
    run, plan = t.run.c, t.plan.c
    org_id = bindparam("org_id", type_=run.org_id.type)
    about: ColumnElement[bool] = run.only_employee.is_(None)
    if at_one_person:
        about = or_(about, run.only_employee == bindparam("only_employee"))
    of_run = plan.dag_id == run.dag_id, plan.run_id == run.run_id, plan.org_id == org_id, plan.sealed_at.is_not(None)
    named = run.config_name == bindparam("config_name")
    looked = and_(named, plan.mode.in_(_LOOKING_MODES))
    in_use = and_(or_(named, run.config_hash == bindparam("config_hash")), plan.sendable)
    return select(exists().where(run.org_id == org_id, about, or_(looked, in_use), *of_run))
