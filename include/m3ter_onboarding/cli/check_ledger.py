"""What ``check --connect`` finds out about the ledger: tables, rights, guard, and who else may write to it."""

from __future__ import annotations

from contextlib import closing

from m3ter_onboarding.clock import utc_now
from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.errors import LedgerUnusableError
from m3ter_onboarding.ledger.database import LedgerDatabase, open_ledger
from m3ter_onboarding.ledger.guard_proof import prove_guard
from m3ter_onboarding.ledger.needed_rights import missing_rights
from m3ter_onboarding.ledger.other_writers import other_writers
from m3ter_onboarding.ledger.schema import prepare_tables, rehearse_tables, tables_version
from m3ter_onboarding.ledger.tables import SCHEMA_VERSION


def check_ledger(config: OnboardingConfig) -> str:
    """Return what a run of now would find; nothing is changed.

    :raises LedgerError: when a run would fail, or could not send.
    """
    with closing(open_ledger(config.ledger_conn_id, config.ledger_schema)) as db:
        version = tables_version(db)
        if version is not None and version > SCHEMA_VERSION:
            raise LedgerUnusableError(
                f"its tables have version {version}, this package knows {SCHEMA_VERSION}; upgrade"
                " airflow-provider-m3ter."
            )
        if version != SCHEMA_VERSION and not config.create_tables:
            prepare_tables(db, create_tables=False, now=utc_now(), package_version="")  # raises with the next step
        if version != SCHEMA_VERSION:
            rehearse_tables(db)
        if version is None:
            return "it answers, and has no tables yet: the first run makes them (tried, and taken back)."
        if version < SCHEMA_VERSION:
            return (
                f"its tables have version {version}, this package's {SCHEMA_VERSION}: the next run brings them up to"
                " date (tried, and taken back)."
            )
        return _as_it_is(db)


def _as_it_is(db: LedgerDatabase) -> str:
    if missing := missing_rights(db):
        raise LedgerUnusableError(
            f"the user of the connection '{db.name}' lacks rights that a run needs: {', '.join(missing)}. Let somebody"
            " who may grant them: m3ter-onboarding ddl --role … prints the statements."
        )
    prove_guard(db)
    return (
        f"its tables have version {SCHEMA_VERSION}, a run has the rights it needs, and it can guard against a second"
        f" e-mail.{_warning(other_writers(db))}"
    )


def _warning(writers: tuple[str, ...]) -> str:
    if not writers:
        return ""
    return (
        f" WARNING: others may write to it: {', '.join(writers)}. What they change is noticed and stops runs; what they"
        " delete is not. Give the ledger a schema of its own (docs/security.md)."
    )
