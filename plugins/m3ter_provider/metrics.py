"""What this package reports through Airflow's metrics, and how: Airflow's section ``[metrics]`` decides where they go.

A backend that knows tags (OpenTelemetry, Datadog, StatsD in InfluxDB's form) gets the name with its tags. Plain StatsD
knows none, and one name for all organisations would overwrite itself: there the values of the tags follow the name, as
in ``m3ter_onboarding.invitations.acme.sent``. No value is of a person.
"""

from __future__ import annotations

import functools
import logging
from dataclasses import dataclass
from typing import Any, Literal

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Metric:
    """A name that is reported.

    :param kind: a counter counts events; a gauge is a value until the next one; a timer is in milliseconds.
    :param tags: their names, in the order in which their values follow the name in plain StatsD.
    :param what: a sentence for the documentation.
    """

    name: str
    kind: Literal["counter", "gauge", "timer"]
    tags: tuple[str, ...]
    what: str


REQUEST = Metric(
    "m3ter.request",
    "timer",
    ("method", "status"),
    "How long m3ter took for each request; `status` is HTTP's, or `none` where no answer came.",
)
RATE_LIMITED = Metric("m3ter.rate_limited", "counter", (), "Answers of m3ter that asked to slow down (429).")
RATE_LIMIT_WAIT = Metric("m3ter.rate_limit_wait", "timer", (), "Each wait of everybody because of such an answer.")
TOKEN_RENEWED = Metric("m3ter.token_renewed", "counter", (), "Tokens that were asked for and received.")

OF_THE_PROVIDER = (REQUEST, RATE_LIMITED, RATE_LIMIT_WAIT, TOKEN_RENEWED)


def are_reported() -> bool:
    """Return whether Airflow reports metrics at all."""
    return _form() != "off"


def add(metric: Metric, count: int = 1, **tags: str) -> None:
    """Add to a counter."""
    if count:
        _report("incr", metric, count, tags)


def gauge(metric: Metric, value: float, **tags: str) -> None:
    """Report the value of a gauge."""
    _report("gauge", metric, value, tags)


def timed(metric: Metric, seconds: float, **tags: str) -> None:
    """Report how long something took."""
    _report("timing", metric, seconds * 1000.0, tags)


def _report(function: str, metric: Metric, value: float, tags: dict[str, str]) -> None:
    if (form := _form()) == "off":
        return
    values = {name: tags[name] for name in metric.tags}
    name, given = metric.name, values or None
    if form == "names":
        name, given = ".".join((name, *map(_part, values.values()))), None
    try:
        getattr(_stats(), function)(name, value, tags=given)
    except Exception as error:  # noqa: BLE001  (an e-mail is not left unrecorded because nobody can count it)
        _say_once(type(error).__name__)


def _part(value: str) -> str:
    """Return a value as one part of a name: letters, digits, hyphens and underscores."""
    return "".join(letter if (letter.isascii() and letter.isalnum()) or letter in "-_" else "_" for letter in value)


def _stats() -> Any:
    from airflow.sdk.observability import stats

    return stats if hasattr(stats, "incr") else stats.Stats  # Airflow 3.2 has a class


@functools.lru_cache(maxsize=1)
def _form() -> Literal["off", "tags", "names"]:
    """Return how names are written for the backend that Airflow uses, in the order in which it chooses one."""
    from airflow.sdk.configuration import conf

    def on(option: str) -> bool:
        return bool(conf.getboolean("metrics", option, fallback=False))

    if on("statsd_datadog_enabled"):
        return "tags"
    if on("statsd_on"):
        return "tags" if on("statsd_influxdb_enabled") else "names"
    return "tags" if on("otel_on") else "off"


@functools.lru_cache(maxsize=10)
def _say_once(error: str) -> None:
    _log.warning("Airflow's metrics took no value of m3ter's (%s). Nothing else is affected.", error)
