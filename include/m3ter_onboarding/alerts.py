"""Alerts: Airflow notifiers by dotted path, told in one sentence with a link when somebody should look.

The sentence names no person. A notifier that cannot be used is a line in the log, and never fails a run.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, StrictStr, field_validator, model_validator

from m3ter_onboarding.dag_settings import Section
from m3ter_onboarding.durations import Duration

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)

_SECRET = re.compile(r"(^|_)(password|passwd|secret|token|api_?key|access_?key)(_|$)", re.IGNORECASE)


class Notifier(Section):
    """One notifier of Airflow's.

    :param notifier: dotted path of its class, such as ``airflow.providers.slack.notifications.slack.SlackNotifier``.
    :param arguments: what it is made with; ``{message}`` in a text becomes the sentence and the link.
    """

    notifier: Annotated[StrictStr, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$")]
    arguments: dict[StrictStr, Any] = Field(default={}, repr=False)

    @field_validator("arguments")
    @classmethod
    def _no_secrets(cls, value: dict[str, Any]) -> dict[str, Any]:
        for name in value:
            if not name.isidentifier():
                raise ValueError(f"{name!r} is no name of an argument")
            if _SECRET.search(name):
                raise ValueError(f"{name!r} looks like a secret; name an Airflow connection that holds it instead")
        return value

    def tell(self, message: str, link: str, context: Mapping[str, Any]) -> None:
        """Send a message; what goes wrong is logged."""
        module, _, name = self.notifier.rpartition(".")
        try:
            made = getattr(import_module(module), name)(**_filled(self.arguments, message))
            made({**context, "message": message, "link": link})
        except (Exception, SystemExit) as error:  # noqa: BLE001  (an alert is no reason to fail)
            log.warning(
                "The alert by %s could not be sent (%s); see whether its package is installed, and its arguments.",
                self.notifier,
                type(error).__name__,
            )


def _by_path(value: Any) -> Any:
    """Take a path alone for a notifier without arguments, and one notifier for a list of one."""
    values = [value] if isinstance(value, (str, dict)) else value
    if isinstance(values, (list, tuple)):
        return [{"notifier": one} if isinstance(one, str) else one for one in values]
    return values


Notifiers = Annotated[tuple[Notifier, ...], BeforeValidator(_by_path)]


class Alerts(Section):
    """``alerts``: who is told when somebody should look.

    :param on_failure: notifiers for a run that failed.
    :param on_review: notifiers for a run that may send and has rows, or invitations, for a person to decide about.
    :param deadline: a run that is not finished so long after it was queued is told to ``on_failure``, too; None: never.
    """

    on_failure: Notifiers = ()
    on_review: Notifiers = ()
    deadline: Duration | None = None

    @field_validator("deadline")
    @classmethod
    def _not_zero(cls, value: timedelta | None) -> timedelta | None:
        if value is not None and value <= timedelta(0):
            raise ValueError("must be longer than nothing")
        return value

    @model_validator(mode="after")
    def _somebody_is_told(self) -> Alerts:
        if self.deadline is not None and not self.on_failure:
            raise ValueError("has a deadline and nobody in on_failure to be told")
        return self


class FailureAlert:
    """The DAG's ``on_failure_callback``.

    :param config_name: of the configuration.
    """

    def __init__(self, config_name: str, dag_id: str, notifiers: Iterable[Notifier]) -> None:
        self._config_name, self._dag_id, self._notifiers = config_name, dag_id, tuple(notifiers)

    def __call__(self, context: Context) -> None:
        """Tell that a run has failed."""
        values: Mapping[str, Any] = context
        run_id = str(values.get("run_id") or getattr(values.get("dag_run"), "run_id", ""))
        tell(self._notifiers, self._config_name, self._dag_id, run_id, "failed; its report says why", values)


def tell(
    notifiers: Iterable[Notifier], config_name: str, dag_id: str, run_id: str, what: str, context: Mapping[str, Any]
) -> None:
    """Send one sentence about a run to each notifier.

    :param what: what is the matter; it follows the run's name and names no person.
    """
    from m3ter_onboarding.links import run_page

    link = run_page(dag_id, run_id)
    for notifier in notifiers:
        notifier.tell(f"m3ter onboarding {config_name}: the run {run_id} {what}: {link}", link, context)


def deadline_missed(
    context: Mapping[str, Any], config_name: str, notifiers: Iterable[Mapping[str, Any]], within: str
) -> None:
    """Tell that a run was not finished in time; Airflow calls it by name.

    :param context: of Airflow's; its ``dag_run`` is as the REST API describes one.
    """
    run: Mapping[str, Any] = context.get("dag_run") or {}
    tell(
        [Notifier.model_validate(one) for one in notifiers],
        config_name,
        str(run.get("dag_id")),
        str(run.get("dag_run_id") or run.get("run_id")),
        f"was not finished within {within} of being queued",
        {},
    )


def _filled(value: Any, message: str) -> Any:
    if isinstance(value, str):
        return value.replace("{message}", message)
    if isinstance(value, Mapping):
        return {key: _filled(one, message) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_filled(one, message) for one in value]
    return value
