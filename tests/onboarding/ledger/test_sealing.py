"""JSON that is hashed and sealed is written as Python's own encoder writes it, which ledgers hold hashes of."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from m3ter_onboarding.ledger import sealing
from m3ter_onboarding.ledger.sealing import canonical, ordered_json
from tests.support.hostile_values import JSON, hostile

SPACED = ordered_json(", ", ": ")


@hostile
@given(JSON)
def test_quick_json_is_that_of_the_library(content: Any) -> None:
    assert SPACED(content) == json.dumps(content, sort_keys=True)
    assert canonical(content) == json.dumps(content, sort_keys=True, separators=(",", ":"))


def test_a_python_without_the_module_in_c_writes_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing.json.encoder, "c_make_encoder", None)
    content = {"b": ["ä", 1.5, None, True], "a": {"d": "\ud800", "c": -0.0}}
    assert ordered_json(", ", ": ")(content) == SPACED(content)
