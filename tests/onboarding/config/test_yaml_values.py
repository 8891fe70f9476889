"""Texts and numbers of the YAML file are what is written there, or an error that says how to write them."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from m3ter_onboarding.config import yaml_text
from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.config.placeholders import folded_placeholders
from m3ter_onboarding.config.yaml_file import load_config
from m3ter_onboarding.errors import ConfigurationError
from m3ter_onboarding.planning.facts import Facts
from m3ter_onboarding.planning.plan_settings import PlanSettings
from tests.support.hire_rows import NOW, decide_rows, row


def loaded(folder: Path, text: str) -> OnboardingConfig:
    (folder / "hires.sql").write_text("SELECT :window_start, :window_end")
    (folder / "acme.yaml").write_text(f"name: acme\nwarehouse_conn_id: hr\nquery: hires.sql\n{text}\n")
    return load_config(folder / "acme.yaml")


def test_ids_are_what_is_written(tmp_path: Path) -> None:
    written = ("00417", "271", "0x1f", "1_000", "1:30", "010", "0o17", "+5", "1e3", "0b11", "E2")
    config = loaded(tmp_path, f"exclude: {{employee_ids: [{', '.join(written)}]}}")
    assert config.exclude.employee_ids == written
    assert loaded(tmp_path, "exclude: {employee_ids: 00417}").exclude.employee_ids == ("00417",)


PARTS = [
    *"ab:-[]{},\"'#&*!|>%@`?~\t\n\x85\u2028\ufeff\x07",
    ": ",
    "\n  ",
    "\n- ",
    "- ",
    ", ",
    " # x",
    "&a ",
    "*a",
    "!!str ",
]
WORDS = [
    "|\n  ",
    "1",
    "00417",
    "1.5",
    "true",
    "null",
    "2026-01-01",
    "\r\n",
    "---\n",
    "<<: ",
    "é",
    "🦊",
    "name: a\n",
    "\\x",
]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PARTS + WORDS), max_size=12).map("".join))
def test_libyaml_reads_nothing_that_pyyaml_reads_in_another_way(text: str) -> None:
    def read(load: Callable[[str], Any]) -> str:
        try:
            return repr(load(text))
        except (yaml.YAMLError, ValueError) as error:
            return str(error)

    assert read(yaml_text._loaded) == read(lambda said: yaml.load(said, yaml_text._Loader))


def test_what_is_nested_deeply_is_no_crash(tmp_path: Path) -> None:
    for nested in ("[" * 20_000, "- " * 20_000, "{a: " * 10_000):
        with pytest.raises(ConfigurationError, match=r"nested too deeply|not valid YAML"):
            loaded(tmp_path, f"exclude: {nested}" if nested[0] != "-" else f"exclude:\n  {nested}")


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
        ("employee_ids", "1001 1002"),
        ("employee_ids", f"[{'1' * 260}]"),
        ("addresses", "ada@example.com|bob@example.com"),
        ("addresses", "“ada@example.com”"),
        ("addresses", "ada@example.com、bob"),
        ("addresses", "'ada@example.com?'"),
        ("addresses", "'*@example.com'"),
        ("addresses", "ada..l@example.com"),
        ("addresses", "ada@exam_ple.com"),
        ("addresses", "ada@192.0.2.1"),
        ("domains", "example.com|example.org"),
        ("domains", "'example.com，example.org'"),
        ("domains", "example.com。"),
        ("domains", "^example.com"),
        ("domains", "example.com$"),
        ("domains", "'%.example.com'"),
        ("domains", "-example.com"),
        ("domains", "192.0.2.1"),
    ],
)
def test_an_exclusion_that_can_match_nobody_is_an_error(tmp_path: Path, key: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"exclude\.{key}"):
        loaded(tmp_path, f"exclude: {{{key}: {value}}}")


def test_ordinary_exclusions_are_taken(tmp_path: Path) -> None:
    text = (
        "exclude: {addresses: [\"Ada.O'Neil+x@Example.com\"], domains: ['@example.org', bücher.example, 例え。テスト]}"
    )
    exclude = loaded(tmp_path, text).exclude
    assert exclude.addresses == ("Ada.O'Neil+x@Example.com",)
    assert exclude.domains == ("@example.org", "bücher.example", "例え。テスト")
    assert loaded(tmp_path, "exclude: {employee_ids: [E 1001]}").exclude.employee_ids == ("E 1001",)


def test_an_id_is_excluded_however_its_unicode_is_composed(tmp_path: Path) -> None:
    """Editors write what looks the same in two ways; rows are read in one of them."""
    config = loaded(tmp_path, f"exclude: {{employee_ids: [{unicodedata.normalize('NFD', 'É1')}]}}")
    rules = PlanSettings.from_config(config)
    [decision] = decide_rows([row(employee_id="É1")], Facts(), rules, now=NOW)
    assert (decision.decision, decision.reason) == ("skip", "excluded")


@pytest.mark.parametrize(
    "value",
    ["'a@example.com;'", "'<a@example.com>'", "'mailto:a@example.com'", "a@example.com.", "'a.example,b.example'"],
)
def test_what_an_access_review_ignores_can_match_somebody(tmp_path: Path, value: str) -> None:
    with pytest.raises(ConfigurationError, match=r"access_review\.ignore"):
        loaded(tmp_path, f"access_review: {{ignore: {value}}}")


def test_several_placeholders_in_one_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="holds several words"):
        loaded(tmp_path, "placeholders: 'n/a, none'")
    words = folded_placeholders(
        loaded(tmp_path, f"placeholders: [{unicodedata.normalize('NFD', 'keiné')}]").placeholders
    )
    assert words == {"keiné"}


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("[2024-01-05]", "it is read as a date; write it in quotes"),
        ("[NO]", "it is read as yes or no; write it in quotes"),
        ("[12.5]", "it is read as a number; write it in quotes"),
        ("[null]", "write one text there"),
        ("", "write a list such as [one, two], or leave the key out"),
    ],
)
@pytest.mark.parametrize("key", ["exclude.employee_ids", "permission_policies"])
def test_what_yaml_reads_as_something_else_is_refused_with_the_form_that_is_meant(
    tmp_path: Path, key: str, written: str, said: str
) -> None:
    section, _, name = key.rpartition(".")
    with pytest.raises(ConfigurationError) as error:
        loaded(tmp_path, f"{section}:\n  {name}: {written}" if section else f"{name}: {written}")
    assert said in str(error.value)
