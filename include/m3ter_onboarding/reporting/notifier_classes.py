"""The classes of notifiers: which may be imported at all, and that each is a notifier of Airflow's.

A configuration is text that people edit who may run no code. Importing a module runs it, so a path alone is not
followed: the class must be one that an installed provider declares, that is written as a notifier in its module's
source, or that the deployment lists in Airflow's own configuration.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from m3ter_onboarding.config.alerts_section import Notifier
from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.errors import ConfigurationError
from m3ter_onboarding.reporting.notifier_sources import is_written_as_notifier

if TYPE_CHECKING:
    from airflow.sdk import BaseNotifier

#: Section and option of Airflow's configuration with the deployment's own notifiers, separated by commas or spaces.
SECTION, OPTION = "m3ter_onboarding", "notifiers"


class NotifierError(Exception):
    """A class that cannot be used as a notifier; the text follows the class's name in a sentence."""


def check_notifiers(config: OnboardingConfig) -> None:
    """Check every notifier that a configuration names; none is instantiated.

    :raises ConfigurationError: naming the file and the key of the first that cannot be used.
    """
    for key, notifier in _named(config):
        try:
            notifier_class(notifier.notifier)
        except NotifierError as error:
            raise ConfigurationError(f"{config.path}: the key '{key}' names {notifier.notifier}, {error}") from None


def notifier_class(path: str) -> type[BaseNotifier]:
    """Import the class of a notifier, if it may be imported.

    :param path: dotted, with the module.
    :raises NotifierError: when it may not be imported, cannot be, or is no notifier.
    """
    from airflow.sdk import BaseNotifier

    if path not in _declared() and path not in _listed() and not is_written_as_notifier(path):
        raise NotifierError(
            "which is not imported: no installed provider declares it as a notifier, its module is not found or does"
            " not define it as one (`class …(BaseNotifier)`), and the option"
            f" [{SECTION}] {OPTION} of Airflow's configuration does not list it. Install its provider, or have the"
            " class listed there."
        )
    module, _, name = path.rpartition(".")
    try:
        found: Any = getattr(import_module(module), name)
    except (Exception, SystemExit) as error:  # noqa: BLE001  (its text may quote what the module read)
        raise NotifierError(
            f"which cannot be imported ({type(error).__name__}). Install its package where DAGs are parsed and tasks"
            " run."
        ) from None
    if not (isinstance(found, type) and issubclass(found, BaseNotifier)):
        raise NotifierError("which is no subclass of Airflow's BaseNotifier.")
    return found


def _named(config: OnboardingConfig) -> Iterator[tuple[str, Notifier]]:
    """Yield each notifier with its key; a notifier is all that a configuration names of code."""
    lists: dict[str, Iterable[Notifier]] = {
        "alerts.on_failure": config.alerts.on_failure,
        "alerts.on_review": config.alerts.on_review,
        "chase.notifiers": config.chase.notifiers or (),
    }
    for key, notifiers in lists.items():
        for number, notifier in enumerate(notifiers):
            yield f"{key}[{number}].notifier", notifier


@lru_cache(maxsize=1)
def _declared() -> frozenset[str]:
    """Return what the installed providers declare; Airflow's own manager would import every one of them."""
    declared: set[str] = set()
    for entry_point in entry_points(group="apache_airflow_provider"):
        try:
            declared.update(entry_point.load()().get("notifications") or ())
        except Exception:  # noqa: BLE001, S112  (a broken provider is Airflow's to report)
            continue
    return frozenset(declared)


def _listed() -> frozenset[str]:
    """Return what the deployment allows besides."""
    from airflow.sdk.configuration import conf

    return frozenset(conf.get(SECTION, OPTION, fallback="").replace(",", " ").split())
