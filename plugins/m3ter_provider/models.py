"""The requests and answers of m3ter, as frozen models.

Fields that m3ter adds are ignored, a missing required one is an error; an optional one that cannot be read counts as
absent, see :mod:`m3ter_provider.answer_values`. Neither an error nor a ``repr`` shows personal data. Times are aware,
in UTC.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Annotated, Any, Generic, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
)
from pydantic.alias_generators import to_camel

from m3ter_provider.administrators import is_administrator_like
from m3ter_provider.answer_values import (
    Address,
    Flag,
    Identifier,
    Identifiers,
    Moment,
    Name,
    OptionalIdentifier,
    Patterns,
    Statements,
    WholeNumber,
    Words,
    or_absent,
    substitute,
)
from m3ter_provider.email_identity import is_one_address
from m3ter_provider.errors import M3terResponseError
from m3ter_provider.person_names import why_not_a_name

T = TypeVar("T")
ModelT = TypeVar("ModelT", bound=BaseModel)

INVITATION_LIFE = timedelta(days=30)
"""How long an invitation sent without ``dtExpiry`` can be accepted (m3ter docs, "Invite User to Organization")."""


@lru_cache(maxsize=1024)  # the requests of a plan have few ends
def _iso_milliseconds(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _no_number(value: Any) -> Any:
    # 20270101 would be taken for seconds since 1970, and somebody's access would have ended that year.
    if isinstance(value, datetime) or (isinstance(value, str) and _ISO_INSTANT.match(value.strip())):
        return value
    raise ValueError("write date, time and zone, such as 2027-01-01T00:00:00Z, or give a datetime")


_ISO_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}")

SentMoment = Annotated[AwareDatetime, BeforeValidator(_no_number), PlainSerializer(_iso_milliseconds, return_type=str)]
"""A time in a request: must have a zone; sent as ISO-8601 in UTC with milliseconds."""


def _name(value: str) -> str:
    if why := why_not_a_name(value):
        raise ValueError(why)
    return value


def _one_address(value: str) -> str:
    if not is_one_address(value):
        raise ValueError("is not exactly one e-mail address")
    return value


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

    Names are checked here, for every caller: what m3ter sends cannot be recalled, and anybody's DAG may take them from
    anywhere.

    :param email: the address the invitation goes to.
    :param first_name: 1–100 characters, a name by :func:`~m3ter_provider.person_names.why_not_a_name`.
    :param last_name: likewise.
    :param contact_number: at most 50 characters.
    :param permission_policy_ids: ids of the permission policies that the person gets.
    :param dt_end_access: when access ends (aware); None: never.
    :param dt_expiry: when the invitation expires (aware); None: 30 days after it was sent.
    :param m3ter_user: whether the person is one of m3ter's own staff.
    :param version: unused by m3ter for new invitations.
    """

    email: Annotated[str, AfterValidator(_one_address)] = Field(min_length=1, repr=False)
    first_name: Annotated[str, AfterValidator(_name)] = Field(min_length=1, max_length=100, repr=False)
    last_name: Annotated[str, AfterValidator(_name)] = Field(min_length=1, max_length=100, repr=False)
    contact_number: str | None = Field(default=None, max_length=50, repr=False)
    permission_policy_ids: tuple[str, ...] | None = None
    dt_end_access: SentMoment | None = None
    dt_expiry: SentMoment | None = None
    m3ter_user: bool | None = Field(default=None, alias="m3terUser")  # the generator would make m3TerUser of it
    version: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the body of the POST: m3ter's names, without the fields that are not set."""
        policies, ends, expires = self.permission_policy_ids, self.dt_end_access, self.dt_expiry
        body = {
            "email": self.email,
            "firstName": self.first_name,
            "lastName": self.last_name,
            "contactNumber": self.contact_number,
            "permissionPolicyIds": None if policies is None else list(policies),
            "dtEndAccess": None if ends is None else _iso_milliseconds(ends),
            "dtExpiry": None if expires is None else _iso_milliseconds(expires),
            "m3terUser": self.m3ter_user,
            "version": self.version,
        }
        return {name: value for name, value in body.items() if value is not None}


class WholeAnswer(M3terModel):
    """An entry of m3ter's that is kept as it came, beside the fields that this package reads."""

    __slots__ = ("_as_answered",)  # pydantic's own private attributes cost each answer a fifth of its reading

    @property
    def as_answered(self) -> Mapping[str, Any]:
        """m3ter's JSON, with the keys that this package does not know; empty where the model was made otherwise."""
        answered: Mapping[str, Any] = getattr(self, "_as_answered", {})
        return answered

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

    id: Identifier
    email: Address = Field(repr=False)
    version: WholeNumber = None
    permission_policy_ids: Identifiers = ()
    first_name: Words = Field(default=None, repr=False)
    last_name: Words = Field(default=None, repr=False)
    dt_end_access: Moment = None
    dt_expiry: Moment = None
    inviting_principal_id: OptionalIdentifier = None
    accepted: Flag = None
    dt_created: Moment = None
    dt_last_modified: Moment = None
    created_by: OptionalIdentifier = None
    last_modified_by: OptionalIdentifier = None

    @property
    def ends_at(self) -> datetime | None:
        """Until when it can be accepted: ``dt_expiry``, else 30 days after it was made; None: not known."""
        return self.dt_expiry or (self.dt_created + INVITATION_LIFE if self.dt_created else None)


class OrgUser(WholeAnswer):
    """One member of the organisation. ``dt_end_access`` None: access is permanent, or its end cannot be read."""

    id: Identifier
    version: WholeNumber = None
    email: Annotated[Address | None, or_absent()] = Field(default=None, repr=False)
    first_name: Words = Field(default=None, repr=False)
    last_name: Words = Field(default=None, repr=False)
    contact_number: Words = Field(default=None, repr=False)
    permission_policy_ids: Identifiers = ()
    dt_end_access: Moment = None
    dt_created: Moment = None
    dt_last_modified: Moment = None
    created_by: OptionalIdentifier = None
    last_modified_by: OptionalIdentifier = None


class PermissionStatement(M3terModel):
    """One statement of a policy: actions and resources that it allows or denies, as m3ter spells them."""

    effect: str
    action: Patterns = ("*",)
    resource: Patterns = ("*",)


class PermissionPolicy(M3terModel):
    """One permission policy. ``managed_policy``: m3ter's own, not the organisation's.

    :param permission_policy: its statements; empty where one of them cannot be read: it then shows nothing.
    """

    id: Identifier
    name: Name
    version: WholeNumber = None
    managed_policy: Flag = None
    permission_policy: Annotated[tuple[PermissionStatement, ...], Statements] = ()

    @property
    def administrator_like(self) -> bool:
        """Whether it lets people do everything, see :mod:`m3ter_provider.administrators`."""
        return is_administrator_like(self.name, managed=self.managed_policy, statements=self.permission_policy)


class ServiceUser(M3terModel):
    """The service user whose access key signs the requests."""

    id: Identifier
    name: Words = None
    version: WholeNumber = None


class Organization(M3terModel):
    """The organisation of an answer to ``users/me``."""

    id: OptionalIdentifier = None
    name: Words = Field(default=None, alias="organizationName")
    short_name: Words = None


class Me(M3terModel):
    """The caller as m3ter sees it: a service user (or, with a person's token, a user) of an organisation."""

    service_user: Annotated[ServiceUser | None, or_absent()] = None
    user: Annotated[OrgUser | None, or_absent()] = None
    organization: Annotated[Organization | None, or_absent()] = None


@dataclass(frozen=True)  # slots and Generic do not go together on Python 3.10
class Page(Generic[T]):
    """One page of a list.

    :param items: the entries, in m3ter's order.
    :param next_token: the parameter of the request for the next page; None on the last.
    :param server_time: when m3ter answered by its own clock (the ``Date`` header, whole seconds), aware and in UTC.
    :param unreadable: how many entries have no id or no address that can be read; see :func:`parse_listed`.
    """

    items: tuple[T, ...] = field(repr=False)
    next_token: str | None = None
    server_time: datetime | None = None
    unreadable: int = 0


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
            object.__setattr__(parsed, "_as_answered", data)  # the models are frozen
        return parsed
    raise M3terResponseError(f"m3ter's answer for {what} is not as documented: {faults}.")


def parse_listed(model: type[ModelT], entry: object, what: str) -> tuple[ModelT | None, M3terResponseError | None]:
    """Make a model of one entry of a list, also where it has no id or address that can be read.

    One strange entry must not hide the others. It must not be overlooked either: the person behind it may be invited,
    or a member. Such an invitation, and a user with an address, get a substitute (:func:`~.answer_values.substitute`)
    for what is missing; of other entries nothing is left.

    :returns: the model, if any, and the error that :func:`parse` raises.
    """
    try:
        return parse(model, entry, what), None
    except M3terResponseError as error:
        refused = error
    instead = substitute(json.dumps(entry, sort_keys=True, default=str))
    known = dict(entry) if isinstance(entry, Mapping) else {}
    missing = ("id", "email") if model is Invitation else ("id",) if model is OrgUser and known.get("email") else ()
    for name in missing:
        if not isinstance(known.get(name), str) or not known[name]:
            known[name] = instead
    try:
        return (parse(model, known, what) if missing else None), refused
    except M3terResponseError:
        return None, refused
