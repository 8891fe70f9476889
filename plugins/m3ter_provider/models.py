"""The requests and answers of m3ter, as frozen models.

Fields that m3ter adds are ignored, a missing required one is an error. Neither an error nor a ``repr`` shows personal
data. Times are aware and in UTC.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Annotated, Any, Generic, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PrivateAttr,
    ValidationError,
)
from pydantic.alias_generators import to_camel

from m3ter_provider.administrators import is_administrator_like
from m3ter_provider.email_identity import is_one_address
from m3ter_provider.errors import M3terResponseError

T = TypeVar("T")
ModelT = TypeVar("ModelT", bound=BaseModel)

INVITATION_LIFE = timedelta(days=30)
"""How long an invitation sent without ``dtExpiry`` can be accepted (m3ter docs, "Invite User to Organization")."""


def _as_utc(moment: datetime) -> datetime:
    # m3ter's times are UTC; one without a zone must not become local time.
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)


def _iso_milliseconds(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _none_as_empty(value: Any) -> Any:
    return () if value is None else value


def _blank_as_none(value: Any) -> Any:
    return None if value == "" else value


Moment = Annotated[datetime | None, AfterValidator(lambda m: m and _as_utc(m)), BeforeValidator(_blank_as_none)]
"""A time in an answer: UTC; absent, null and "" are None."""


def _no_number(value: Any) -> Any:
    # 20270101 would be taken for seconds since 1970, and somebody's access would have ended that year.
    if isinstance(value, datetime) or (isinstance(value, str) and _ISO_INSTANT.match(value.strip())):
        return value
    raise ValueError("write date, time and zone, such as 2027-01-01T00:00:00Z, or give a datetime")


_ISO_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}")

SentMoment = Annotated[AwareDatetime, BeforeValidator(_no_number), PlainSerializer(_iso_milliseconds, return_type=str)]
"""A time in a request: must have a zone; sent as ISO-8601 in UTC with milliseconds."""


def _one_address(value: str) -> str:
    if not is_one_address(value):
        raise ValueError("is not exactly one e-mail address")
    return value


Strings = Annotated[tuple[str, ...], BeforeValidator(_none_as_empty)]
"""A list of strings in an answer; null is empty."""


class M3terModel(BaseModel):
    """The base: frozen, camelCase on the wire, snake_case in Python, silent about values in errors."""

    model_config = ConfigDict(
        frozen=True,
        alias_generator=to_camel,
        populate_by_name=True,
        extra="ignore",
        hide_input_in_errors=True,
    )


class InvitationRequest(M3terModel):
    """One invitation as it is POSTed. Limits as in m3ter's documentation, "Invite User to Organization".

    :param email: the address the invitation goes to.
    :param first_name: 1–100 characters.
    :param last_name: 1–100 characters.
    :param contact_number: at most 50 characters.
    :param permission_policy_ids: ids of the permission policies that the person gets.
    :param dt_end_access: when access ends (aware); None: never.
    :param dt_expiry: when the invitation expires (aware); None: 30 days after it was sent.
    :param m3ter_user: whether the person is one of m3ter's own staff.
    :param version: unused by m3ter for new invitations.
    """

    email: Annotated[str, AfterValidator(_one_address)] = Field(min_length=1, repr=False)
    first_name: str = Field(min_length=1, max_length=100, repr=False)
    last_name: str = Field(min_length=1, max_length=100, repr=False)
    contact_number: str | None = Field(default=None, max_length=50, repr=False)
    permission_policy_ids: tuple[str, ...] | None = None
    dt_end_access: SentMoment | None = None
    dt_expiry: SentMoment | None = None
    m3ter_user: bool | None = Field(default=None, alias="m3terUser")  # the generator would make m3TerUser of it
    version: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the body of the POST: m3ter's names, without the fields that are not set."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class WholeAnswer(M3terModel):
    """An entry of m3ter's that is kept as it came, beside the fields that this package reads."""

    _as_answered: Mapping[str, Any] = PrivateAttr(default_factory=dict)

    @property
    def as_answered(self) -> Mapping[str, Any]:
        """m3ter's JSON, with the keys that this package does not know; empty where the model was made otherwise."""
        return self._as_answered

    def __eq__(self, other: object) -> bool:
        """Compare the fields that this package reads."""
        if not isinstance(other, WholeAnswer) or type(self) is not type(other):
            return NotImplemented
        return self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        """Return a hash of the fields that this package reads."""
        return hash((type(self), *self.__dict__.values()))


class Invitation(WholeAnswer):
    """One invitation as m3ter holds it. ``accepted`` is None where m3ter gives none."""

    id: str = Field(min_length=1)
    email: str = Field(min_length=1, repr=False)
    version: int | None = None
    permission_policy_ids: Strings = ()
    first_name: str | None = Field(default=None, repr=False)
    last_name: str | None = Field(default=None, repr=False)
    dt_end_access: Moment = None
    dt_expiry: Moment = None
    inviting_principal_id: str | None = None
    accepted: bool | None = None
    dt_created: Moment = None
    dt_last_modified: Moment = None
    created_by: str | None = None
    last_modified_by: str | None = None


class OrgUser(WholeAnswer):
    """One member of the organisation. ``dt_end_access`` None: access is permanent."""

    id: str = Field(min_length=1)
    version: int | None = None
    email: str | None = Field(default=None, repr=False)
    first_name: str | None = Field(default=None, repr=False)
    last_name: str | None = Field(default=None, repr=False)
    contact_number: str | None = Field(default=None, repr=False)
    permission_policy_ids: Strings = ()
    dt_end_access: Moment = None
    dt_created: Moment = None
    dt_last_modified: Moment = None
    created_by: str | None = None
    last_modified_by: str | None = None


class PermissionStatement(M3terModel):
    """One statement of a policy: actions and resources that it allows or denies, as m3ter spells them."""

    effect: str
    action: Strings = ()
    resource: Strings = ()


class PermissionPolicy(M3terModel):
    """One permission policy. ``managed_policy``: m3ter's own, not the organisation's."""

    id: str = Field(min_length=1)
    name: str
    version: int | None = None
    managed_policy: bool | None = None
    permission_policy: Annotated[tuple[PermissionStatement, ...], BeforeValidator(_none_as_empty)] = ()

    @property
    def administrator_like(self) -> bool:
        """Whether it lets people do everything, see :mod:`m3ter_provider.administrators`."""
        return is_administrator_like(self.name, managed=self.managed_policy, statements=self.permission_policy)


class ServiceUser(M3terModel):
    """The service user whose access key signs the requests."""

    id: str = Field(min_length=1)
    name: str | None = None
    version: int | None = None


class Organization(M3terModel):
    """The organisation of an answer to ``users/me``."""

    id: str | None = None
    name: str | None = Field(default=None, alias="organizationName")
    short_name: str | None = None


class Me(M3terModel):
    """The caller as m3ter sees it: a service user (or, with a person's token, a user) of an organisation."""

    service_user: ServiceUser | None = None
    user: OrgUser | None = None
    organization: Organization | None = None


@dataclass(frozen=True)  # slots and Generic do not go together on Python 3.10
class Page(Generic[T]):
    """One page of a list.

    :param items: the entries, in m3ter's order.
    :param next_token: the parameter of the request for the next page; None on the last.
    :param server_time: when m3ter answered by its own clock (the ``Date`` header, whole seconds), aware and in UTC.
    """

    items: tuple[T, ...] = field(repr=False)
    next_token: str | None = None
    server_time: datetime | None = None


def parse(model: type[ModelT], data: object, what: str) -> ModelT:
    """Make a model of decoded JSON.

    :param model: the model's class.
    :param data: the decoded JSON of the answer.
    :param what: names the answer in the error, for example ``an invitation``.
    :raises M3terResponseError: naming the fields that are missing or wrong, without any value.
    """
    if not isinstance(data, Mapping):
        raise M3terResponseError(f"m3ter's answer for {what} is no JSON object.")
    try:
        parsed = model.model_validate(data)
    except ValidationError as error:
        faults = ", ".join(
            f"{'.'.join(str(part) for part in fault['loc']) or 'the object'} ({fault['type']})"
            for fault in error.errors(include_url=False, include_context=False, include_input=False)
        )
    else:
        if isinstance(parsed, WholeAnswer):
            parsed._as_answered = data
        return parsed
    raise M3terResponseError(f"m3ter's answer for {what} is not as documented: {faults}.")
