"""Whatever a YAML file, a connection or the parameters of a run hold: they are accepted, or refused in our words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import Connection
from hypothesis import given
from hypothesis import strategies as st

from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.config.run_parameters import RunParameters
from m3ter_onboarding.config.status_parameters import StatusParameters
from m3ter_onboarding.config.yaml_file import load_config
from m3ter_onboarding.errors import ConfigurationError, RunParameterError
from m3ter_provider.connection import ConnectionSettings, connection_settings
from m3ter_provider.errors import M3terConfigurationError
from tests.support.hostile_values import DATES, DRIVER_VALUES, JSON, TEXTS, hostile

KEYS = sorted(OnboardingConfig.model_fields)
SECTIONS = ("exclude", "alerts", "status", "access_review", "day_one", "chase", "dag")
GOOD = {"name": "acme", "warehouse_conn_id": "hr", "query": "q.sql"}
QUERY = "SELECT employee_id, email, first_name, last_name FROM t WHERE at >= :window_start AND at < :window_end"
#: Connections to m3ter are asked at the host of a file's own choosing by no parameter.
PARAMETERS = st.one_of(JSON, DATES, DRIVER_VALUES)


def loaded(values: Any) -> None:
    said = ""
    try:
        assert len(OnboardingConfig.from_mapping(values, query_text=QUERY).hash) == 64
    except ConfigurationError as error:
        said = str(error)
    assert not said or said.startswith("onboarding.yaml")


@hostile
@given(key=st.sampled_from(KEYS), value=DRIVER_VALUES)
def test_any_value_of_any_key_is_taken_or_refused_in_our_words(key: str, value: Any) -> None:
    loaded({**GOOD, key: value})


@hostile
@given(section=st.sampled_from(SECTIONS), data=st.data())
def test_any_value_within_a_section_is_taken_or_refused_in_our_words(section: str, data: st.DataObject) -> None:
    model = OnboardingConfig.model_fields[section].annotation
    keys = sorted(model.model_fields)  # type: ignore[union-attr]
    loaded({**GOOD, section: data.draw(st.dictionaries(st.sampled_from(keys), DRIVER_VALUES, min_size=1, max_size=2))})


@hostile
@given(values=st.dictionaries(TEXTS, JSON, max_size=3))
def test_any_key_is_taken_or_refused_in_our_words(values: dict[str, Any]) -> None:
    loaded({**GOOD, **values})


FILES = (
    *("", "[]", "5", "a: &a [*a]", "a: *b", "{" * 1500, "- " * 1000 + "x", "? [1]\n: 2", "!!python/object:os.system x"),
    *("name: 9" + "9" * 5000, "start_date: 9999-99-99", "name: !!binary ====", "a: !!float x", "1: 2", "null: 1"),
    *("a: !!timestamp 2026-11-24T00:00:00+99:99", "name: \ud800", "\0", "\ufffe", "a: 1\na: 2", "<<: 5", "<<: {a: 1}"),
    *('query: "\\0"', "query: " + "q" * 5000, "query: ../../../../etc/passwd", 'query: "\\ud800"', "--- a\n--- b"),
    *("a: [" + "*x," * 3 + "]", "x: &x " + "[&y [" * 40 + "]" * 80, "name: {a: b}", 'exclude: {query: "\\0"}'),
    "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{c}: &{c} [{','.join([f'*{p}'] * 9)}]\n" for p, c in zip("abcdefgh", "bcdefghi", strict=True)),
)


def read(path: Path, text: str) -> None:
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    said = ""
    try:
        load_config(path)
    except ConfigurationError as error:
        said = str(error)
    assert not said or str(path) in said
    assert len(said.encode()) < 40_000


@pytest.mark.parametrize("text", FILES, ids=range(len(FILES)))
@pytest.mark.parametrize("beside", ["", "name: acme\nwarehouse_conn_id: hr\n"])
def test_a_file_that_is_no_configuration_is_refused_in_our_words(tmp_path: Path, text: str, beside: str) -> None:
    read(tmp_path / "acme.yaml", beside + text)


@hostile
@given(text=TEXTS | JSON.map(lambda value: json.dumps(value)) | st.text("abc:-?[]{}&*!|>'\"%@` \n#,", max_size=40))
def test_any_file_is_read_or_refused_in_our_words(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    read(tmp_path_factory.getbasetemp() / "fuzzed.yaml", text[:400])  # more nesting takes PyYAML seconds


@hostile
@given(values=st.dictionaries(st.sampled_from(sorted(RunParameters.model_fields)) | TEXTS, PARAMETERS, max_size=4))
def test_any_parameters_of_a_run_are_taken_or_refused_in_our_words(values: dict[str, Any]) -> None:
    for model in (RunParameters, StatusParameters):
        said = ""
        try:
            model.parse(values)
        except RunParameterError as error:
            said = str(error)
        assert len(said) < 20_000


@hostile
@given(values=st.dictionaries(st.sampled_from(sorted(StatusParameters.model_fields)), PARAMETERS, max_size=3))
def test_any_parameters_of_a_status_run_are_taken_or_refused_in_our_words(values: dict[str, Any]) -> None:
    said = ""
    try:
        StatusParameters.parse(values)
    except RunParameterError as error:
        said = str(error)
    assert len(said) < 20_000


EXTRAS = sorted({*ConnectionSettings.model_fields} - {"conn_id", "base_url", "access_key_id", "api_secret"})


@hostile
@given(
    extras=st.dictionaries(st.sampled_from(EXTRAS) | TEXTS, JSON, max_size=4),
    host=st.none() | TEXTS,
    schema=st.none() | TEXTS,
    login=TEXTS,
)
def test_any_connection_is_taken_or_refused_in_our_words(
    extras: dict[str, Any], host: str | None, schema: str | None, login: str
) -> None:
    connection = Connection(
        conn_id="m3ter_test",
        conn_type="m3ter",
        host=host,
        schema=schema,
        login=login,
        password="secret",
        extra=json.dumps({"org_id": "o", **extras}),
    )
    try:
        settings = connection_settings(connection)
    except M3terConfigurationError as error:
        str(error).encode("utf-8", "surrogatepass")
        return
    assert settings.basic_authorization.isascii()
