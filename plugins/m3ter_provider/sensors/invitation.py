"""Wait until somebody has accepted an invitation."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from airflow.sdk import BaseSensorOperator
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from m3ter_provider.acceptance import acceptance
from m3ter_provider.errors import (
    M3terAuthenticationError,
    M3terConfigurationError,
    M3terError,
    M3terPermissionError,
)
from m3ter_provider.hooks.m3ter import M3terHook
from m3ter_provider.links import M3terConsoleLink

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow.sdk import BaseOperatorLink, Context, XComArg

_LONGER_THAN_AN_INVITATION_LIVES = timedelta(days=31)

_PERMANENT = (M3terConfigurationError, M3terAuthenticationError, M3terPermissionError)


class M3terInvitationAcceptedSensor(BaseSensorOperator):
    """Wait until a person has accepted an invitation.

    An invitation that expires without being accepted never will be: then the task fails for good, or is skipped. One
    that m3ter does not know fails the task so that Airflow's retries look again: it may have been made a moment ago.

    People take days. So the task gives its worker back between two looks (``mode="reschedule"``), looks every half
    hour, and waits for longer than an invitation lives; all three can be set. Where many tasks wait, let the triggerer
    wait for them (``deferrable=True``): then they share their requests.

    :param invitation_id: m3ter's id of the invitation, as
        :class:`~m3ter_provider.operators.invitation.M3terCreateInvitationOperator` returns it. None, which that task
        returns for a member who has no invitation, is accepted already.
    :param m3ter_conn_id: a connection of type ``m3ter``; nothing is sent through it.
    :param if_expired: ``fail`` for good, or ``skip``.
    :param mode: ``reschedule``, or ``poke`` to hold the worker.
    :param poke_interval: seconds between two looks.
    :param timeout: seconds after which the task gives up.
    :param deferrable: wait in the triggerer; ``mode`` does not matter then. None: as Airflow's
        ``[operators] default_deferrable`` says.
    """

    template_fields: Sequence[str] = ("invitation_id", "m3ter_conn_id")
    operator_extra_links: Collection[BaseOperatorLink] = (M3terConsoleLink(),)
    ui_color = "#d9e8f6"

    def __init__(
        self,
        *,
        invitation_id: str | XComArg | None,
        m3ter_conn_id: str = M3terHook.default_conn_name,
        if_expired: Literal["fail", "skip"] = "fail",
        mode: str = "reschedule",
        poke_interval: timedelta | float = 1800.0,
        timeout: timedelta | float = _LONGER_THAN_AN_INVITATION_LIVES,
        deferrable: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(mode=mode, poke_interval=poke_interval, timeout=timeout, **kwargs)
        self.invitation_id = invitation_id
        self.m3ter_conn_id = m3ter_conn_id
        self.if_expired = if_expired
        if deferrable is None:
            deferrable = conf.getboolean("operators", "default_deferrable", fallback=False)
        self.deferrable = deferrable

    @cached_property
    def hook(self) -> M3terHook:
        """The hook, made when it is first needed."""
        return M3terHook(self.m3ter_conn_id)

    def execute(self, context: Context) -> Any:
        """Wait; with ``deferrable`` look once, and leave the rest to the triggerer."""
        if not self.deferrable:
            return super().execute(context)
        if self.poke(context):
            return None
        from m3ter_provider.triggers.invitation import M3terInvitationAcceptedTrigger

        return self.defer(
            trigger=M3terInvitationAcceptedTrigger(
                invitation_id=str(self.invitation_id),
                m3ter_conn_id=self.m3ter_conn_id,
                poll_interval=self.poke_interval,
                not_before=datetime.now(timezone.utc) + timedelta(seconds=self.poke_interval),
            ),
            method_name=self.execute_complete.__name__,
            timeout=timedelta(seconds=self.timeout),
        )

    def execute_complete(self, context: Context, event: dict[str, str]) -> None:
        """End as the trigger's event says.

        :param event: what became of the invitation, see :class:`~m3ter_provider.triggers.acceptance_poller.Outcome`.
        """
        match event["what"]:
            case "accepted":
                self.log.info("Invitation %s is accepted.", self.invitation_id)
            case "expired":
                raise self._expired(str(self.invitation_id))
            case "failed":
                raise AirflowFailException(event["message"])
            case _:
                # Airflow's retries look again.
                raise M3terError(event["message"])

    def poke(self, context: Context) -> bool:
        """Look once."""
        if self.invitation_id in (None, "", "None"):
            self.log.info("There is no invitation to wait for: the person is a member.")
            return True
        try:
            invitation = self.hook.get_invitation(str(self.invitation_id))
        except _PERMANENT as error:
            raise AirflowFailException(str(error)) from None
        what = acceptance(invitation, datetime.now(timezone.utc))
        if what == "expired":
            raise self._expired(invitation.id)
        if what == "pending":
            self.log.info("Invitation %s is not accepted yet.", invitation.id)
            return False
        self.log.info("Invitation %s is accepted.", invitation.id)
        return True

    def _expired(self, invitation_id: str) -> AirflowException:
        expired = f"Invitation {invitation_id} has expired without being accepted."
        if self.if_expired == "skip":
            return AirflowSkipException(expired)
        return AirflowFailException(f"{expired} Invite the person again if that is still wanted.")
