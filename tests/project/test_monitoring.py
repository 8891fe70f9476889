"""The files for Prometheus and Grafana name metrics, labels and values that there are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from m3ter_onboarding.ledger.figures import AGES
from m3ter_onboarding.ledger.states import InvitationState
from m3ter_onboarding.reporting.metrics import OF_THE_DAGS
from m3ter_provider.metrics import OF_THE_PROVIDER, Metric
from reference.monitoring import FOLDER, files, prometheus_name

METRICS = (*OF_THE_DAGS, *OF_THE_PROVIDER)
VALUES = {"outcome": {*(state.value for state in InvitationState), "success", "failed"}, "age": {*AGES}}


def series() -> dict[str, Metric]:
    found = {}
    for metric in METRICS:
        name = prometheus_name(metric)
        found |= dict.fromkeys((f"{name}_sum", f"{name}_count") if metric.kind == "timer" else (name,), metric)
    return found


def expressions() -> Iterator[str]:
    for group in yaml.safe_load((FOLDER / "alerts.yaml").read_text())["groups"]:
        yield from (rule["expr"] for rule in group["rules"])
    dashboard = json.loads((FOLDER / "grafana.json").read_text())
    yield from (target["expr"] for panel in dashboard["panels"] for target in panel["targets"])
    yield from (one["query"] for one in dashboard["templating"]["list"] if one["type"] == "query")


@pytest.mark.parametrize("expression", [*expressions()])
def test_an_expression_names_what_is_reported(expression: str) -> None:
    known = series()
    names = re.findall(r"airflow_\w+", expression)
    assert names
    for name in names:
        assert name in known
        tags = known[name].tags
        for labels in re.findall(name + r"\{([^}]*)\}", expression):
            for label, value in re.findall(r'(\w+)=~?"([^"]*)"', labels):
                assert label in tags
                assert value.startswith("$") or value in VALUES[label]
        for labels in re.findall(r"by \(([^)]*)\)", expression):
            assert set(labels.split(", ")) <= set(tags)


@pytest.mark.parametrize("file", [*files()], ids=lambda file: str(file.name))
def test_a_file_that_is_made_is_up_to_date(file: Path) -> None:
    assert file.read_text() == files()[file], "run `make reference`"


def test_every_metric_has_a_name_of_its_own() -> None:
    assert len({prometheus_name(metric) for metric in METRICS}) == len(METRICS)
    for metric in METRICS:
        assert metric.what.endswith(".")
