"""The ``alerts:`` section of a configuration: which notifiers of Airflow's are called, and when."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StrictStr, field_validator, model_validator

from m3ter_onboarding.config.durations import LastingDuration
from m3ter_onboarding.config.section import Section

_SECRET = re.compile(r"(^|_)(password|passwd|secret|token|api_?key|access_?key)(_|$)", re.IGNORECASE)


class Notifier(Section):
    """One notifier of Airflow's.

    :param notifier: dotted path of its class, such as ``airflow.providers.slack.notifications.slack.SlackNotifier``;
        one that an installed provider declares, or that the deployment lists.
    :param arguments: of its constructor; ``{message}`` in a text becomes the sentence and the link.
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


def _by_path(value: Any) -> Any:
    """Take a path alone for a notifier without arguments, and one notifier for a list of one."""
    values = [value] if isinstance(value, (str, dict)) else value
    if isinstance(values, (list, tuple)):
        return [{"notifier": one} if isinstance(one, str) else one for one in values]
    return values


Notifiers = Annotated[tuple[Notifier, ...], BeforeValidator(_by_path)]


class Alerts(Section):
    """``alerts``: who is notified when somebody should look.

    :param on_failure: notifiers for a run that failed.
    :param on_review: notifiers for a run that may send and has rows, or invitations, for a person to decide about.
    :param deadline: ``on_failure`` is also notified of a run that is not finished so long after it was queued; None:
        never.
    """

    on_failure: Notifiers = ()
    on_review: Notifiers = ()
    deadline: LastingDuration | None = None

    @model_validator(mode="after")
    def _somebody_is_notified(self) -> Alerts:
        if self.deadline is not None and not self.on_failure:
            raise ValueError("has a deadline and nobody in on_failure to notify")
        return self
