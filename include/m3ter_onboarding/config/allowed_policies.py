"""``allowed_permission_policies``: the policies that may be given, by default the configured ones only."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, ValidationInfo

from m3ter_onboarding.config.section import Text

#: Written alone it allows every policy, so that nobody allows them all by leaving something out.
ANY: Final = "any"


def _read(value: Any, info: ValidationInfo) -> Any:
    if value is None:
        return info.data.get("permission_policies", ())
    if isinstance(value, str):
        if value.strip() == ANY:
            return ANY
        value = [value]
    if isinstance(value, (list, tuple)) and any(
        isinstance(one, str) and one.strip().casefold() == ANY for one in value
    ):
        raise ValueError(
            "the word `any` stands alone, in lower case and in no list; write `any`, or only names and ids (a policy"
            " with this name by its id)"
        )
    return value


#: Names and ids, or the word; ``null`` is read as the value of ``permission_policies``.
AllowedPolicies = Annotated[tuple[Text, ...] | Literal["any"], BeforeValidator(_read)]


def named_policies(allowed: tuple[str, ...] | Literal["any"]) -> tuple[str, ...]:
    """Return the names and ids that are written: the word ``any`` names none."""
    return () if isinstance(allowed, str) else allowed
