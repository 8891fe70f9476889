"""``docs/sandbox.md`` names every switch with its default first, every fault, and the credentials."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

import pytest

from m3ter_sandbox.faults import Fault, Garble, Kind
from m3ter_sandbox.switches import Switches
from m3ter_sandbox.testing import API_SECRET, ORG_ID, SandboxServer

TEXT = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text(encoding="utf-8")


def documented_switches() -> dict[str, str]:
    table = TEXT.partition("## Switches")[2].partition("\n## ")[0]
    rows = [line.split("|") for line in table.splitlines() if line.startswith("| ")]
    return {name: row[3] for row in rows for name in re.findall(r"`(\w+)`", row[2])}


def test_every_switch_is_in_the_table() -> None:
    assert set(Switches.model_fields) - set(documented_switches()) == {"own_policies"}
    assert "`own_policies`" in TEXT


@pytest.mark.parametrize("name", sorted(set(Switches.model_fields) - {"own_policies"}))
def test_the_first_value_is_the_default(name: str) -> None:
    first = re.search(r"`([^`]+)`", documented_switches()[name])
    assert first
    default = getattr(Switches(), name)
    try:
        value = json.loads(first[1])
    except ValueError:
        value = first[1]
    assert (tuple(value) if isinstance(value, list) else value) == default


def test_every_fault_and_every_field_is_named() -> None:
    table = TEXT.partition("## Faults")[2].partition("\n## ")[0]
    names = {*get_args(Kind), *get_args(Garble), *Fault.model_fields} - {"kind"}
    assert {name for name in names if f"`{name}`" not in table} == set()


def test_every_method_for_tests_is_named() -> None:
    methods = {name for name in vars(SandboxServer) if not name.startswith("_")} - {"pid"}
    assert {name for name in methods if f"`{name}(" not in TEXT} == set()


def test_credentials_are_those_of_the_code() -> None:
    assert f"`{API_SECRET}`" in TEXT
    assert f'"{ORG_ID}"' in TEXT
