"""The gate: open until a stop is requested or something fails."""

from __future__ import annotations

from m3ter_onboarding.errors import DeliveryError
from m3ter_onboarding.sending.gate import Gate
from m3ter_onboarding.sending.stop_signals import Stop


def test_a_gate_is_open_until_a_stop_is_requested() -> None:
    gate = Gate(Stop())
    assert gate.is_open
    gate.stop.request("it is a test")
    assert not gate.is_open
    assert gate.failure is None


def test_a_gate_keeps_the_first_failure() -> None:
    gate = Gate(Stop())
    gate.close(DeliveryError("first"))
    gate.close(DeliveryError("second"))
    assert not gate.is_open
    assert str(gate.failure) == "first"


def test_a_gate_asks_for_the_parent_each_time() -> None:
    parents = [7, 7, 1]
    gate = Gate(Stop(parent=lambda: parents.pop(0)))
    assert [gate.is_open, gate.is_open] == [True, False]
