"""The first look: before a configuration's first e-mail, a person has seen what it would send.

Unpausing a DAG with a schedule starts a run at once, before anybody could look. So runs plan only until a run that
sends nothing by its mode has made a plan (docs/delivery.md, rule 5).
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, exists, or_, select

from m3ter_onboarding.ledger.database import LedgerDatabase

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
    run, plan = db.tables.run.c, db.tables.plan.c
    about: ColumnElement[bool] = run.only_employee.is_(None)
    if only_employee is not None:
        about = or_(about, run.only_employee == only_employee)
    of_run = plan.dag_id == run.dag_id, plan.run_id == run.run_id, plan.org_id == org_id, plan.sealed_at.is_not(None)
    named = run.config_name == config_name
    looked = and_(named, plan.mode.in_(_LOOKING_MODES))
    in_use = and_(or_(named, run.config_hash == config_hash), plan.sendable)
    found = exists().where(run.org_id == org_id, about, or_(looked, in_use), *of_run)
    return bool(db.read(lambda connection: connection.execute(select(found)).scalar_one(), doing="looking for a look"))
