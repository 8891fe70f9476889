"""People in logs and exceptions: masked (docs/delivery.md, rule 18)."""

from __future__ import annotations

from typing import Any

from m3ter_provider.email_identity import mask_addresses, mask_email

__all__ = ["mask_addresses", "mask_employee_id", "repr_of"]


def mask_employee_id(employee_id: str | None) -> str:
    """Write an employee id as a log may show it; one that is an address is masked, a missing one is named so.

    :param employee_id: as the warehouse has it.
    """
    if not employee_id:
        return "(no employee_id)"
    if "@" in employee_id:
        return mask_email(employee_id)
    printable = "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in employee_id
    )
    return printable if len(printable) <= 64 else printable[:63] + "…"


def repr_of(one: tuple[Any, ...], *shown: str) -> str:
    """Return the ``repr`` of a named tuple with these of its fields alone: the others are personal.

    What a plan makes for each person is a named tuple: a frozen dataclass could leave fields out by itself, but sets
    each of them by a call, which took a seventh of a plan's time.
    """
    return f"{type(one).__name__}({', '.join(f'{name}={getattr(one, name)!r}' for name in shown)})"
