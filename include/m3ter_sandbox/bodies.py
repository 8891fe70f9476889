"""The request bodies of m3ter's document, with its rules: types, lengths, formats, required fields."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Annotated, Any, Literal, TypeVar

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

__all__ = [
    "ACTIONS",
    "BodyError",
    "InvitationBody",
    "PolicyBody",
    "PrincipalBody",
    "Statement",
    "TokenBody",
    "UserBody",
    "parse_body",
    "stored_address",
]

Body = TypeVar("Body", bound=BaseModel)

ACTIONS = frozenset(
    {
        "ALL",
        "CONFIG_CREATE",
        "CONFIG_RETRIEVE",
        "CONFIG_UPDATE",
        "CONFIG_DELETE",
        "CONFIG_EXPORT",
        "ANALYTICS_QUERY",
        "MEASUREMENTS_UPLOAD",
        "MEASUREMENTS_FILEUPLOAD",
        "MEASUREMENTS_RETRIEVE",
        "MEASUREMENTS_EXPORT",
        "FORECAST_RETRIEVE",
        "HEALTHSCORES_RETRIEVE",
        "ANOMALIES_RETRIEVE",
        "EXPORTS_DOWNLOAD",
        "MARKETPLACE_USAGE_CREATE",
        "MARKETPLACE_USAGE_RETRIEVE",
        "AUDIT_RETRIEVE",
    }
)

_RFC_3339 = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})[Tt](?P<time>[0-9]{2}:[0-9]{2}:[0-9]{2})(\.(?P<fraction>[0-9]{1,9}))?"
    r"(?P<offset>[Zz]|[+-][0-9]{2}:[0-9]{2})"
)


class BodyError(Exception):
    """A body breaks a rule; the text is m3ter's message."""


def _check_address(value: str) -> str:
    # The document asks for `format: email`, not for a domain that can be reached: `ada@host.local` is well-formed, and
    # the library refuses only its last label. The value stays as it is.
    if not (_well_formed(value) or _well_formed(f"{value}.com")):
        raise PydanticCustomError("address", "must be a well-formed email address")
    return value


def _well_formed(value: str) -> bool:
    try:
        validate_email(value, check_deliverability=False)
    except EmailNotValidError:
        return False
    return True


def _check_instant(value: object) -> object:
    found = _RFC_3339.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise PydanticCustomError("instant", "must be an ISO-8601 date-time with an offset")
    offset = "+00:00" if found["offset"] in "Zz" else found["offset"]
    fraction = f"{found['fraction'] or '':0<6}"[:6]
    try:
        return datetime.fromisoformat(f"{found['date']}T{found['time']}.{fraction}{offset}").astimezone(timezone.utc)
    except (ValueError, OverflowError):
        raise PydanticCustomError("instant", "must be an instant that exists") from None


Text = Annotated[str, Field(strict=True)]
Name = Annotated[str, Field(strict=True, min_length=1, max_length=100)]
Address = Annotated[str, Field(strict=True, min_length=1), AfterValidator(_check_address)]
Instant = Annotated[datetime, BeforeValidator(_check_instant)]
Version = Annotated[int, Field(strict=True, ge=-(2**63), le=2**63 - 1)]


class _Body(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=False, hide_input_in_errors=True
    )


class TokenBody(_Body):
    """Body of ``POST /oauth/token``."""

    grant_type: Annotated[Literal["client_credentials"], Field(alias="grant_type")]
    scope: Text | None = None


class InvitationBody(_Body):
    """Body of ``POST …/invitations``."""

    email: Address
    first_name: Name
    last_name: Name
    contact_number: Annotated[str, Field(strict=True, max_length=50)] | None = None
    permission_policy_ids: list[Text] | None = None
    dt_end_access: Instant | None = None
    dt_expiry: Instant | None = None
    # The generator would write m3TerUser.
    m3ter_user: Annotated[StrictBool | None, Field(alias="m3terUser")] = None
    version: Version | None = None


class Statement(_Body):
    """A permission statement: lower case in requests (``config:create``, ``allow``), upper case in answers."""

    effect: Text
    action: list[Text]
    resource: Annotated[list[Text], Field(min_length=1)]

    def checked(self, *, lower_only: bool) -> dict[str, Any]:
        """Return the statement as answers write it.

        :param lower_only: refuse upper case, as the document's note says.
        :raises BodyError: an action or effect that does not exist.
        """
        effect = self.effect.upper()
        if effect not in ("ALLOW", "DENY") or (lower_only and self.effect != self.effect.lower()):
            raise BodyError("permissionPolicy.effect: must be one of allow, deny (in lower case)")
        actions = []
        for action in self.action:
            name = "ALL" if action == "*" else action.upper().replace(":", "_")
            if name not in ACTIONS or (lower_only and action != action.lower()):
                raise BodyError("permissionPolicy.action: must be actions in lower case, such as config:create")
            actions.append(name)
        return {"effect": effect, "action": actions, "resource": list(self.resource)}


class PolicyBody(_Body):
    """Body of ``POST`` and ``PUT …/permissionpolicies``."""

    name: Name
    permission_policy: Annotated[list[Statement], Field(min_length=1)]
    version: Version | None = None


class UserBody(_Body):
    """Body of ``PUT …/users/{id}``."""

    version: Version | None = None
    permission_policy: list[Statement] | None = None
    dt_end_access: Instant | None = None


class PrincipalBody(_Body):
    """Body of ``…/addtouser`` and ``…/removefromuser``."""

    principal_id: Annotated[str, Field(strict=True, min_length=1)]
    version: Version | None = None


def parse_body(model: type[Body], content: dict[str, object]) -> Body:
    """Check a body against its rules.

    :raises BodyError: with every broken rule in one message, fields named as in the document.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        broken = []
        for one in error.errors(include_url=False, include_context=False, include_input=False):
            text = "is required" if one["type"] == "missing" else one["msg"][:1].lower() + one["msg"][1:]
            broken.append(f"{'.'.join(str(part) for part in one['loc'])}: {text}")
        raise BodyError("; ".join(broken)) from None


def stored_address(address: str, rule: str) -> str:
    """Return an address as m3ter keeps it, by the switch ``email_stored_as``."""
    if rule == "lower":
        return address.lower()
    if rule == "trimmed":
        return address.strip()
    if rule == "trimmed_lower":
        return address.strip().lower()
    local, at, domain = address.rpartition("@")
    if rule == "lower_domain":
        return f"{local}{at}{domain.lower()}"
    if rule == "without_tag":
        return f"{local.partition('+')[0]}{at}{domain}"
    return address
