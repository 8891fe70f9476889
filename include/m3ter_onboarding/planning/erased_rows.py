"""Rows of people who were erased: they are never invited, and nothing of them is written but that."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from m3ter_onboarding.errors import LedgerUnusableError, PlanError
from m3ter_onboarding.ledger.database import LedgerDatabase
from m3ter_onboarding.ledger.decisions import Decision
from m3ter_onboarding.ledger.erased_people import (
    ErasedPeople,
    Pseudonyms,
    check_nobody_erased_since,
    look_up_erased,
    read_secret,
)
from m3ter_onboarding.source.new_hire import ValidatedRow

_DETAIL = "This person's data were erased, and they are not invited again."


def decide_erased(
    db: LedgerDatabase,
    org_id: str,
    rows: Sequence[ValidatedRow],
    secret: Callable[[], str | None] = read_secret,
) -> tuple[list[ValidatedRow], ErasedPeople]:
    """Decide about the rows of people who were erased, and return all rows and who was erased.

    :param secret: returns the secret of the hashes, None where there is none.
    :raises PlanError: when the ledger has erased people, and the secret is missing or another one.
    """
    addresses = {row.email_key for row in rows if row.email_key}
    employees = {row.employee_id for row in rows if row.employee_id}
    try:
        erased = look_up_erased(db, org_id, addresses, employees, secret)
    except LedgerUnusableError as error:
        raise PlanError(str(error)) from None
    words = erased.words
    if words is None:
        return list(rows), erased
    return [_skipped(row, words) if erased.have(row.email_key, row.employee_id) else row for row in rows], erased


def unless_erased_meanwhile(
    db: LedgerDatabase, org_id: str, erased: ErasedPeople, also: Callable[[Connection], object] | None
) -> Callable[[Connection], None]:
    """Return the work of the transaction that seals a plan: it fails when people were erased since their look-up.

    :param also: further work of that transaction.
    """

    def work(connection: Connection) -> None:
        if not check_nobody_erased_since(connection, db, org_id, erased.erasures):
            raise PlanError(
                "People were erased while this plan was made, so it is not sealed and nothing is sent. Clear the task"
                " `plan`."
            )
        if also is not None:
            also(connection)

    return work


def _skipped(row: ValidatedRow, words: Pseudonyms) -> Decision:
    address = words.word("address", row.email_key) if row.email_key else None
    return Decision(
        row_no=row.row_no,
        decision="skip",
        reason="erased",
        employee_id=words.word("employee", row.employee_id) if row.employee_id else None,
        email=address,
        email_key=address,
        detail=_DETAIL,
    )
