"""Invite one person from anyone's DAG."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta, timezone
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException
from airflow.sdk.log import mask_secret
from pydantic import ValidationError

from m3ter_provider.administrators import administrators
from m3ter_provider.email_identity import email_key, mask_email
from m3ter_provider.errors import (
    M3terAuthenticationError,
    M3terConfigurationError,
    M3terPermissionError,
    M3terPermissionPolicyError,
    M3terRequestRejectedError,
    M3terUnknownOutcomeError,
)
from m3ter_provider.hooks.m3ter import M3terHook
from m3ter_provider.links import M3terConsoleLink
from m3ter_provider.models import InvitationRequest
from m3ter_provider.pasted_text import trim
from m3ter_provider.permission_policies import PolicyBook, PolicyT, policy_names, shown
from m3ter_provider.person_lookup import Found, look_up_person

if TYPE_CHECKING:
    import jinja2
    from airflow.sdk import BaseOperatorLink, Context

_HIDDEN = "***"
_PERSONAL_FIELDS = ("email_address", "first_name", "last_name", "contact_number")
_SHORTEST_MASKED = 5  # Airflow's masker refuses shorter ones, and says so each time.
_CLOCK_SKEW = timedelta(minutes=1)

_PERMANENT = (
    AirflowNotFoundException,
    M3terConfigurationError,
    M3terAuthenticationError,
    M3terPermissionError,
    M3terPermissionPolicyError,
)


class M3terCreateInvitationOperator(BaseOperator):
    """Invite one person into a m3ter organisation, once: m3ter is looked at before every POST.

    A person with an active invitation, or with access that has not ended, is not invited again. A retry first waits
    until an invitation of the attempt before must have become visible, and looks again: an e-mail whose outcome was
    unknown is found, not repeated. A new run is no retry.

    Returns the invitation's id (None for a member without one). The task shows and stores no personal data: in its
    rendered fields and in the serialized DAG they are ``***``. Airflow stores and shows as they are: the text of a DAG
    file, the parameters of a run, the XComs of a task, and the values that a mapped task is expanded over or
    holds in ``partial(…)``. A person comes from none of these, but from a template that looks elsewhere when it is
    rendered: a Variable, or a macro of your own.

    :param email: the person's address, where ``email_address`` is not given. It never becomes Airflow's own argument
        of that name (the people to alert about a failed task), and an ``email`` of ``default_args`` never becomes the
        person.
    :param email_address: the person's address; then ``email`` is Airflow's own argument.
    :param first_name: 1–100 characters.
    :param last_name: 1–100 characters.
    :param contact_number: at most 50 characters.
    :param permission_policies: names or ids of permission policies in m3ter; a name must be unique there. A list, or
        (after templates were rendered) text: JSON, or names with commas between.
    :param allowed_permission_policies: the only ones that may be given, by name or id, in the same forms; None: any.
    :param allow_administrator: whether a policy may be given that lets people do everything, such as m3ter's own
        Administrator; see :mod:`m3ter_provider.administrators` for the rule.
    :param dt_end_access: when access ends, with a time zone (a ``datetime``, or ISO-8601 text such as
        ``2027-01-01T00:00:00Z``), in the future; default: never.
    :param dt_expiry: when the invitation expires, likewise; default: 30 days after it is sent.
    :param m3ter_user: m3ter's field ``m3terUser``: whether the person is one of m3ter's own staff.
    :param version: m3ter's field ``version``, unused for new invitations.
    :param m3ter_conn_id: a connection of type ``m3ter`` that allows invitations.
    :param if_exists: for a person with an invitation or membership already: ``skip`` succeeds without sending,
        ``fail`` fails the task for good. An invitation that this task itself sent before a retry never counts.
    :param settle_after: seconds after which an invitation that m3ter accepted must be visible in its list.
    :param sleep: how to wait, in seconds.
    """

    template_fields: Sequence[str] = (
        "email_address",
        "first_name",
        "last_name",
        "contact_number",
        "permission_policies",
        "allowed_permission_policies",
        "dt_end_access",
        "dt_expiry",
        "m3ter_user",
        "version",
        "m3ter_conn_id",
    )
    operator_extra_links: Collection[BaseOperatorLink] = (M3terConsoleLink(),)
    ui_color = "#d9e8f6"

    def __init__(
        self,
        *,
        first_name: str,
        last_name: str,
        email: str | None = None,
        email_address: str | None = None,
        contact_number: str | None = None,
        permission_policies: Sequence[str] | str | None = None,
        allowed_permission_policies: Sequence[str] | str | None = None,
        allow_administrator: bool = False,
        dt_end_access: datetime | str | None = None,
        dt_expiry: datetime | str | None = None,
        m3ter_user: bool | str | None = None,
        version: int | str | None = None,
        m3ter_conn_id: str = M3terHook.default_conn_name,
        if_exists: Literal["skip", "fail"] = "skip",
        settle_after: float = 120.0,
        sleep: Callable[[float], None] = time.sleep,
        **kwargs: Any,
    ) -> None:
        if email_address is None:
            # Airflow fills `email` from default_args: those are the people to alert, not the one to invite.
            if email is None or email == (kwargs.get("default_args") or {}).get("email"):
                raise TypeError("missing keyword argument 'email': the address of the person to invite")
            email_address = email
        elif email is not None:
            kwargs["email"] = email
        if not isinstance(allow_administrator, bool):  # the text "False" is true
            raise TypeError("allow_administrator must be True or False; it is no template")
        if if_exists not in ("skip", "fail"):
            raise TypeError("if_exists must be 'skip' or 'fail'")
        if isinstance(settle_after, bool) or not isinstance(settle_after, int | float) or settle_after < 0:
            raise TypeError("settle_after must be a number of seconds from 0")
        super().__init__(**kwargs)
        self.email_address = _unless_template(email_address)
        self.first_name = _unless_template(first_name)
        self.last_name = _unless_template(last_name)
        self.contact_number = _unless_template(contact_number)
        self.permission_policies = permission_policies
        self.allowed_permission_policies = allowed_permission_policies
        self.allow_administrator = allow_administrator
        self.dt_end_access = dt_end_access
        self.dt_expiry = dt_expiry
        self.m3ter_user = m3ter_user
        self.version = version
        self.m3ter_conn_id = m3ter_conn_id
        self.if_exists = if_exists
        self.settle_after = settle_after
        self.sleep = sleep
        self._person: dict[str, _Personal] = {}

    @cached_property
    def hook(self) -> M3terHook:
        """The hook, made when it is first needed."""
        return M3terHook(self.m3ter_conn_id)

    def _do_render_template_fields(
        self,
        parent: Any,
        template_fields: Iterable[str],
        context: Context,
        jinja_env: jinja2.Environment,
        seen_oids: set[int],
    ) -> None:
        """Render the fields and hide the personal ones, since Airflow stores and shows them.

        Here and not in ``render_template_fields``, which Airflow does not call for a mapped task.
        """
        super()._do_render_template_fields(parent, template_fields, context, jinja_env, seen_oids)
        if parent is not self:
            return
        person = {}
        for name in _PERSONAL_FIELDS:
            value = getattr(self, name)
            if value is not None and value != _HIDDEN:
                person[name] = value if isinstance(value, _Personal) else _Personal(value)
                text = str(person[name].value)
                if len(text) >= _SHORTEST_MASKED:
                    mask_secret(text)
                setattr(self, name, _HIDDEN)
        self._person = {**self._person, **person}

    def execute(self, context: Context) -> str | None:
        """Look the person up, invite them if need be, and return the invitation's id."""
        retry = context["ti"].try_number > 1
        ours_since = _run_began(context) if retry else None
        try:
            self.hook.settings.assert_may_invite(str(self._field("email_address")))
            request = self._request()
            found = self._look_up(request, patiently=retry, ours_since=ours_since)
            return self._existing(found, request, ours_since) if found else self._invite(request, ours_since)
        except _PERMANENT as error:
            raise AirflowFailException(str(error)) from None

    def _invite(self, request: InvitationRequest, ours_since: datetime | None) -> str | None:
        who, posts = mask_email(request.email), itertools.count()
        began = datetime.now(timezone.utc)
        for name, moment in (("dt_end_access", request.dt_end_access), ("dt_expiry", request.dt_expiry)):
            if moment is not None and moment <= began:
                raise AirflowFailException(f"{name} has passed ({moment.isoformat()}); nothing was sent. Correct it.")

        def look_once_more() -> None:
            # We have just looked before the first POST. One that is repeated (429, a new token) comes later.
            if next(posts) and (found := look_up_person(self.hook, request.email)):
                raise _AlreadyThereError(found)

        try:
            invitation = self.hook.create_invitation(request, look_once_more)
            invitation_id: str | None = invitation.id
            if email_key(invitation.email) != email_key(request.email):
                self.log.warning(
                    "m3ter keeps the address of %s in another form, so a further run cannot recognise the"
                    " invitation and would send one more.",
                    who,
                )
        except _AlreadyThereError as error:
            return self._existing(error.found, request, ours_since)
        except M3terUnknownOutcomeError as error:
            self.log.warning("%s Looking it up in m3ter.", error)
            found = self._look_up(request, patiently=True, ours_since=(since := ours_since or began - _CLOCK_SKEW))
            if found is None or (found.alike and not _is_ours(found, since)):
                raise
            invitation_id = found.invitation.id if found.invitation else None
        except M3terRequestRejectedError as error:
            # 400 and 409 may also mean that m3ter has this person already.
            found = self._look_up(request, patiently=False, ours_since=None)
            if found is None:
                raise AirflowFailException(_with_fields(error)) from None
            return self._existing(found, request, ours_since)
        self.log.info("Invited %s: invitation %s.", who, invitation_id)
        return invitation_id

    def _look_up(self, request: InvitationRequest, *, patiently: bool, ours_since: datetime | None) -> Found | None:
        """Look the person up in m3ter.

        :param patiently: whether an e-mail may just have been sent: then absence counts only ``settle_after`` later.
        """
        found = look_up_person(self.hook, request.email, ours_since=ours_since)
        if found is None and patiently:
            self.log.info("An earlier attempt may have been sent; looking again in %s s.", self.settle_after)
            self.sleep(self.settle_after)
            found = look_up_person(self.hook, request.email, ours_since=ours_since)
        return found

    def _existing(self, found: Found, request: InvitationRequest, ours_since: datetime | None) -> str | None:
        """Return the task's result for a person who needs no invitation any more.

        :param ours_since: on a retry: an invitation since then is this task's own.
        """
        invitation, who = found.invitation, mask_email(request.email)
        if invitation and ours_since and _is_ours(found, ours_since):
            self.log.info("An earlier attempt of this task has invited %s: invitation %s.", who, invitation.id)
            return invitation.id
        _check_spelling(found, who)
        state = f"is a member (user {found.user_id})" if found.user_id else "has been invited"
        if self.if_exists == "fail":
            raise AirflowFailException(f"{who} {state} already, and if_exists is 'fail'. Nothing was sent.")
        self.log.info("%s %s already; nothing was sent.", who, state)
        return invitation.id if invitation else None

    def _request(self) -> InvitationRequest:
        fields = {
            "email": trim(str(self._field("email_address") or "")),
            "first_name": _stripped(self._field("first_name")),
            "last_name": _stripped(self._field("last_name")),
            "contact_number": self._field("contact_number"),
            "permission_policy_ids": _policy_ids(
                self.hook,
                self.permission_policies,
                allowed=self.allowed_permission_policies,
                allow_administrator=self.allow_administrator,
            ),
            "dt_end_access": self.dt_end_access,
            "dt_expiry": self.dt_expiry,
            "m3ter_user": self.m3ter_user,
            "version": self.version,
        }
        # Jinja makes text of everything: a field without a value arrives as "" or "None".
        given = {name: value for name, value in fields.items() if value not in (None, "", "None")}
        try:
            return InvitationRequest.model_validate(given)
        except ValidationError as error:
            names = {field.alias: name for name, field in InvitationRequest.model_fields.items()}
            faults = "; ".join(
                f"{names.get(str(fault['loc'][0]), fault['loc'][0])}: "
                + ("is empty, perhaps since a template had no value" if fault["type"] == "missing" else fault["msg"])
                for fault in error.errors(include_input=False, include_url=False, include_context=False)
            )
        raise AirflowFailException(f"This invitation cannot be sent as it is: {faults}.")

    def _field(self, name: str) -> Any:
        value = self._person.get(name, getattr(self, name))
        return value.value if isinstance(value, _Personal) else value


def _run_began(context: Context) -> datetime | None:
    began = getattr(context.get("dag_run"), "start_date", None)
    return began.astimezone(timezone.utc) - _CLOCK_SKEW if began else None


def _is_ours(found: Found, since: datetime) -> bool:
    """Return whether m3ter made the invitation since the task began."""
    made = found.invitation.dt_created if found.invitation else None
    return made is not None and made >= since


def _check_spelling(found: Found, who: str) -> None:
    if found.alike:
        raise AirflowFailException(
            f"m3ter has an address that differs from that of {who} only in letters that are often taken for the same,"
            " such as ß and ss. Nothing was sent. If it is another person's, invite this one in m3ter's console; if it"
            " is the same person's, use that address."
        )


class _AlreadyThereError(Exception):
    """m3ter got to know the person between two attempts at a POST."""

    def __init__(self, found: Found) -> None:
        super().__init__("the person is there already")
        self.found = found


class _Personal:
    """Personal data on the operator, which Airflow, OpenLineage and others that read its attributes see as ``***``.

    :param value: the data.
    """

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        return _HIDDEN

    def serialize(self) -> str:
        """Return its text in the serialized DAG."""
        return _HIDDEN


def _unless_template(value: Any) -> Any:
    """Hide text that is personal; a template, or another task's result, still has to be rendered."""
    is_text = isinstance(value, str) and not any(mark in value for mark in ("{{", "{%", "{#"))
    return _Personal(value) if is_text else value


def _stripped(value: Any) -> Any:
    return trim(value) if isinstance(value, str) else value


def _policy_ids(hook: M3terHook, given: Any, *, allowed: Any, allow_administrator: bool) -> tuple[str, ...] | None:
    """Turn names into ids; one that is missing, ambiguous or not allowed must not become another right.

    :param given: the operator's ``permission_policies``, rendered.
    :param allowed: its ``allowed_permission_policies``.
    """
    # A template makes "[]" of an empty list; other text without a name may be a template without a value.
    if given in (None, [], (), "[]"):
        return None
    wanted = policy_names(given)
    if not wanted:
        raise M3terPermissionPolicyError(
            "permission_policies is given and names none, perhaps since a template had no value. Nothing was sent; "
            "name a policy, or leave the argument out for an invitation without rights."
        )
    book = PolicyBook(hook.iter_permission_policies())
    policies = book.resolve(wanted)
    if allowed is not None and (forbidden := book.not_among(policies, policy_names(allowed))):
        raise M3terPermissionPolicyError(
            f"allowed_permission_policies of this task has no {_listed(forbidden)}. Nothing was sent."
        )
    if not allow_administrator and (powerful := administrators(policies)):
        raise M3terPermissionPolicyError(
            f"The person would be made an administrator by {_listed(powerful)}. Nothing was sent; set"
            " allow_administrator=True if that is meant."
        )
    return tuple(policy.id for policy in policies)


def _listed(policies: Iterable[PolicyT]) -> str:
    return ", ".join(f"{shown(policy.name)} ({policy.id})" for policy in policies)


def _with_fields(error: M3terRequestRejectedError) -> str:
    """Return the error's text with the fields m3ter complains about, but not its words: they may quote the person."""
    words = error.m3ter_message or ""
    named = [field.alias for field in InvitationRequest.model_fields.values() if field.alias and field.alias in words]
    return f"{error} m3ter names these fields: {', '.join(named)}." if named else str(error)
