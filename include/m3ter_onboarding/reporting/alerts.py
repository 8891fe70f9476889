"""Alerts: Airflow notifiers by dotted path, called with one sentence and a link when somebody should look.

The sentence names no person. A notifier that cannot be used is a line in the log, and never fails a run. A notifier
gets the sentence, the link and the names of DAG, run and task, under the names that notifiers' own templates use: its
arguments may be templates, and Airflow's own context would hand connections, variables and the parameters of the run to
them.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from m3ter_onboarding.config.alerts_section import Notifier

if TYPE_CHECKING:
    from airflow.sdk import Context


log = logging.getLogger(__name__)


class FailureAlert:
    """The DAG's ``on_failure_callback``.

    :param config_name: of the configuration.
    """

    def __init__(self, config_name: str, dag_id: str, notifiers: Iterable[Notifier]) -> None:
        self._config_name, self._dag_id, self._notifiers = config_name, dag_id, tuple(notifiers)

    def __call__(self, context: Context) -> None:
        """Notify that a run has failed, and why."""
        from m3ter_onboarding.reporting.failure_cause import cause_of

        values: Mapping[str, Any] = context
        run_id = str(values.get("run_id") or getattr(values.get("dag_run"), "run_id", ""))
        cause = cause_of(values)
        where = f" in the task {cause.task_id}" if cause.task_id else ""
        what = f"failed{where}: {cause.sentence}"
        names = self._config_name, self._dag_id, run_id
        notify(self._notifiers, *names, what, task_id=cause.task_id, run_state="failed")


@dataclass(frozen=True)
class NotifiedTask:
    """What a notifier's own template may ask of a task instance; the link stands for every address.

    :param state: of the run, in a word.
    """

    dag_id: str
    run_id: str
    task_id: str
    state: str
    log_url: str
    try_number: int = 1
    max_tries: int = 0
    hostname: str = ""


def notify(
    notifiers: Iterable[Notifier],
    config_name: str,
    dag_id: str,
    run_id: str,
    what: str,
    *,
    task_id: str | None = None,
    run_state: str = "needs a person",
    link: str | None = None,
) -> None:
    """Send one sentence about a run to each notifier.

    :param what: the event; it follows the run's name and names no person.
    :param task_id: of the task that it is about; None: of none.
    :param run_state: in a word.
    :param link: where to look; None: at the run's page.
    """
    from m3ter_onboarding.reporting.run_links import run_page

    link = link or run_page(dag_id, run_id)
    sentence = _no_template(f"m3ter onboarding {config_name}: the run {run_id} {what}")
    task = NotifiedTask(dag_id, run_id, task_id or "report", run_state, link)
    values = {
        "message": f"{sentence} {link}" if sentence.endswith(".") else f"{sentence}: {link}",
        "sentence": sentence,
        "link": link,
        "organisation": config_name,
        "dag_id": dag_id,
        "run_id": run_id,
        "task_id": task.task_id,
        "ti": task,
        "task_instance": task,
        "exception": sentence,
        "reason": sentence,
    }
    for notifier in notifiers:
        _send(notifier, values)


def notify_of_review(notifiers: Iterable[Notifier], config_name: str, dag_id: str, run_id: str, many: int) -> None:
    """Notify of rows and invitations that wait for a person; the link leads to those of the DAG.

    :param many: how many.
    """
    from m3ter_onboarding.reporting.run_links import review_page

    what = f"has {many} row(s) or invitation(s) that wait for a person"
    notify(notifiers, config_name, dag_id, run_id, what, link=review_page(dag_id, "review"))


def notify_digest(notifiers: Iterable[Notifier], config_name: str, day: date, text: str) -> None:
    """Send the digest of a day to each notifier.

    :param day: in the configuration's time zone.
    :param text: counts; it names no person.
    """
    from m3ter_onboarding.reporting.run_links import day_one_page

    link, sentence = day_one_page(), f"m3ter onboarding {config_name}, {day}: {text}"
    values = {"message": f"{sentence} {link}", "sentence": sentence, "link": link, "organisation": config_name}
    for notifier in notifiers:
        _send(notifier, values)


def deadline_missed(
    context: Mapping[str, Any], config_name: str, notifiers: Iterable[Mapping[str, Any]], within: str
) -> None:
    """Notify that a run was not finished in time; Airflow calls it by name.

    :param context: of Airflow's; its ``dag_run`` is as the REST API describes one.
    """
    run: Mapping[str, Any] = context.get("dag_run") or {}
    notify(
        [Notifier.model_validate(one) for one in notifiers],
        config_name,
        str(run.get("dag_id")),
        str(run.get("dag_run_id") or run.get("run_id")),
        f"was not finished within {within} of being queued",
    )


def _send(notifier: Notifier, values: Mapping[str, Any]) -> None:
    """Send a message through one notifier; an error is logged.

    :param values: all that its templates can name.
    """
    from m3ter_onboarding.reporting.notifier_classes import NotifierError, notifier_class

    try:
        made: Any = notifier_class(notifier.notifier)(**_filled(notifier.arguments, values["message"]))
        made({**values})
    except NotifierError as error:
        log.warning("The alert by %s could not be sent: it names a class %s", notifier.notifier, error)
    except (Exception, SystemExit) as error:  # noqa: BLE001  (an alert is no reason to fail)
        log.warning(
            "The alert by %s could not be sent (%s); see whether its package is installed, and its arguments.",
            notifier.notifier,
            type(error).__name__,
        )


def _no_template(text: str) -> str:
    """Return a text of which no notifier makes a template: it becomes part of arguments that are some."""
    return re.sub(r"\{(?=[{%#])", "{ ", text)


def _filled(value: Any, message: str) -> Any:
    if isinstance(value, str):
        return value.replace("{message}", message)
    if isinstance(value, Mapping):
        return {key: _filled(one, message) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_filled(one, message) for one in value]
    return value
