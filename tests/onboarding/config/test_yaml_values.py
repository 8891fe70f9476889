"""Texts and numbers of the YAML file are what is written there, or an error that says how to write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.config.yaml_file import load_config
from m3ter_onboarding.errors import ConfigurationError


def loaded(folder: Path, text: str) -> OnboardingConfig:
    (folder / "hires.sql").write_text("SELECT :window_start, :window_end")
    (folder / "acme.yaml").write_text(f"name: acme\nwarehouse_conn_id: hr\nquery: hires.sql\n{text}\n")
    return load_config(folder / "acme.yaml")


def test_ids_are_what_is_written(tmp_path: Path) -> None:
    written = ("00417", "271", "0x1f", "1_000", "1:30", "010", "0o17", "+5", "1e3", "0b11", "E2")
    config = loaded(tmp_path, f"exclude: {{employee_ids: [{', '.join(written)}]}}")
    assert config.exclude.employee_ids == written
    assert loaded(tmp_path, "exclude: {employee_ids: 00417}").exclude.employee_ids == ("00417",)


@pytest.mark.parametrize("number", ["010", "0x1f", "1_000", "1:30", "+5", "1e3", "5."])
@pytest.mark.parametrize("key", ["max_invitations", "max_percent", "look_back_days"])
def test_a_number_is_what_everybody_reads_as_one(tmp_path: Path, key: str, number: str) -> None:
    with pytest.raises(ConfigurationError, match=key):
        loaded(tmp_path, f"{key}: {number}")


def test_ordinary_numbers_are_numbers(tmp_path: Path) -> None:
    config = loaded(tmp_path, "max_invitations: 1000\nmax_percent: 12.5\nlook_back_days: 0\n")
    assert (config.max_invitations, config.max_percent, config.look_back_days) == (1000, 12.5, 0)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("employee_ids", "'1001, 1002'"),
        ("employee_ids", "'1001;1002'"),
        ("employee_ids", "[1.0]"),
        ("employee_ids", "[NO]"),
        ("addresses", "'ada@example.com;'"),
        ("addresses", "'<ada@example.com>'"),
        ("addresses", "'mailto:ada@example.com'"),
        ("addresses", "'ada@example.com.'"),
        ("addresses", "'ada@example.com, bob@example.com'"),
        ("addresses", "'ada@example'"),
        ("addresses", "'Ada <ada@example.com>'"),
        ("domains", "'example.com,example.org'"),
        ("domains", "'example.com.'"),
        ("domains", "'*.example.com'"),
        ("domains", "'https://example.com'"),
    ],
)
def test_an_exclusion_that_can_match_nobody_is_an_error(tmp_path: Path, key: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"exclude\.{key}"):
        loaded(tmp_path, f"exclude: {{{key}: {value}}}")


def test_ordinary_exclusions_are_taken(tmp_path: Path) -> None:
    text = "exclude: {addresses: [\"Ada.O'Neil+x@Example.com\"], domains: ['@example.org', bücher.example]}"
    exclude = loaded(tmp_path, text).exclude
    assert exclude.addresses == ("Ada.O'Neil+x@Example.com",)
    assert exclude.domains == ("@example.org", "bücher.example")
