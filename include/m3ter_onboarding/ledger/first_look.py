"""The first look: before a configuration's first e-mail, a person has seen what it would send.

Unpausing a DAG with a schedule starts a run at once, before anybody could look. So runs plan only until a run that
sends nothing by its mode has made a plan (docs/delivery.md, rule 5).
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, exists, or_, select

from m3ter_onboarding.ledger.database import LedgerDatabase

#: Modes of runs that look and send nothing, as ``m3ter_onboarding_plan`` has them.
_LOOKING_MODES = ("dry_run", "baseline")

#: The end of "Nothing of it will be sent: …".
NO_FIRST_LOOK = (
    "it would be the first e-mail of this configuration, and no run with mode `dry_run` or `baseline` has shown in this"
    " ledger what would be sent. Start one and look at its decisions; then clear this run, or wait for the next one,"
    " which reads these days again."
)


def was_looked_at(db: LedgerDatabase, config_name: str, org_id: str, only_employee: str | None = None) -> bool:
    """Return whether a dry run or a baseline of a configuration has made its plan in this ledger.

    A look at one person is none at everybody.

    :param org_id: the organisation that the m3ter connection names; a look at another one does not count.
    :param only_employee: the person that the run is about; a look at them alone counts, too.
    """
    run, plan = db.tables.run.c, db.tables.plan.c
    about: ColumnElement[bool] = run.only_employee.is_(None)
    if only_employee is not None:
        about = or_(about, run.only_employee == only_employee)
    looked = exists().where(
        *(run.config_name == config_name, run.org_id == org_id, about),
        *(plan.dag_id == run.dag_id, plan.run_id == run.run_id, plan.org_id == org_id),
        *(plan.mode.in_(_LOOKING_MODES), plan.sealed_at.is_not(None)),
    )
    return bool(db.read(lambda connection: connection.execute(select(looked)).scalar_one(), doing="looking for a look"))
