"""Files in ``monitoring/`` that are made of the metrics' declarations: the mapping of StatsD's names, the dashboard."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from m3ter_onboarding.reporting import metrics as of_dags
from m3ter_onboarding.reporting.metrics import OF_THE_DAGS
from m3ter_provider import metrics as of_provider
from m3ter_provider.metrics import OF_THE_PROVIDER, Metric

FOLDER = Path(__file__).parent.parent / "monitoring"

_PREFIX = "airflow"
#: A gauge that nothing has reported for so long is gone; the status DAG reports every few hours.
_KEPT = "26h"
_MADE = "# Made by `make reference` from the declarations of the metrics; a test compares.\n"


def files() -> Mapping[Path, str]:
    """Return the files and their texts."""
    return {FOLDER / "statsd_exporter.yaml": _mapping(), FOLDER / "grafana.json": _dashboard()}


def prometheus_name(metric: Metric) -> str:
    """Return a metric's name in Prometheus; of a timer the beginning, before ``_sum`` and ``_count``."""
    return f"{_PREFIX}_{metric.name.replace('.', '_')}" + ("_total" if metric.kind == "counter" else "")


def _mapping() -> str:
    mappings = []
    for metric in (*OF_THE_DAGS, *OF_THE_PROVIDER):
        mapping: dict[str, Any] = {
            "match": ".".join((_PREFIX, metric.name, *("*" for _ in metric.tags))),
            "name": prometheus_name(metric),
            "labels": {tag: f"${number}" for number, tag in enumerate(metric.tags, 1)},
        }
        if metric.kind == "gauge":
            mapping["ttl"] = _KEPT
        mappings.append(mapping)
    return _MADE + yaml.safe_dump({"mappings": mappings}, sort_keys=False)


def _panels() -> Iterator[tuple[str, str, str, str]]:
    """Yield title, expression, legend and unit of each panel."""

    def a_day(metric: Metric, *by: str) -> str:
        return f'sum by ({", ".join(by)}) (increase({prometheus_name(metric)}{{organisation=~"$organisation"}}[1d]))'

    def now(metric: Metric) -> str:
        return f'{prometheus_name(metric)}{{organisation=~"$organisation"}}'

    yield "Invitations a day", a_day(of_dags.INVITATIONS, "outcome"), "{{outcome}}", "short"
    yield "Decisions a day", a_day(of_dags.DECISIONS, "decision", "reason"), "{{decision}}:{{reason}}", "short"
    yield "Runs a day", a_day(of_dags.RUNS, "organisation", "outcome"), "{{organisation}} {{outcome}}", "short"
    yield "Changes in m3ter a day", a_day(of_dags.CHANGES, "change"), "{{change}}", "short"
    yield "Open questions", f"sum by (reason, age) ({now(of_dags.WORKLIST)})", "{{reason}} {{age}}", "short"
    yield "Age of the oldest open invitation", now(of_dags.OLDEST_OPEN), "{{organisation}}", "s"
    yield "Since the last success", now(of_dags.SINCE_SUCCESS), "{{organisation}}", "s"
    request = prometheus_name(of_provider.REQUEST)
    mean = f"sum by (method) (rate({request}_sum[5m])) / sum by (method) (rate({request}_count[5m]))"
    yield "m3ter's time for a request, mean", mean, "{{method}}", "none"
    yield "Answers of m3ter a second", f"sum by (status) (rate({request}_count[5m]))", "{{status}}", "reqps"
    yield "Asked to slow down, an hour", f"increase({prometheus_name(of_provider.RATE_LIMITED)}[1h])", "429", "short"


def _dashboard() -> str:
    source = {"type": "prometheus", "uid": "${source}"}
    panels = [
        {
            "id": number + 1,
            "title": title,
            "type": "timeseries",
            "datasource": source,
            "gridPos": {"h": 8, "w": 12, "x": 12 * (number % 2), "y": 8 * (number // 2)},
            "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
            "targets": [{"refId": "A", "datasource": source, "expr": expression, "legendFormat": legend}],
        }
        for number, (title, expression, legend, unit) in enumerate(_panels())
    ]
    organisations = f"label_values({prometheus_name(of_dags.RUNS)}, organisation)"
    variables = [
        {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"},
        {
            "name": "organisation",
            "label": "Organisation",
            "type": "query",
            "datasource": source,
            "query": organisations,
            "refresh": 2,
            "multi": True,
            "includeAll": True,
            "allValue": ".*",
        },
    ]
    dashboard = {
        "title": "m3ter onboarding",
        "uid": "m3ter-onboarding",
        "tags": ["airflow", "m3ter"],
        "schemaVersion": 39,
        "version": 1,
        "time": {"from": "now-30d", "to": "now"},
        "refresh": "5m",
        "templating": {"list": variables},
        "panels": panels,
    }
    return json.dumps(dashboard, indent=2) + "\n"
