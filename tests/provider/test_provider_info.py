"""The provider as Airflow knows it without importing it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import airflow
import jsonschema
import pytest

import m3ter_provider
from m3ter_provider.connection import ConnectionSettings, connection_settings
from m3ter_provider.errors import M3terConfigurationError
from m3ter_provider.get_provider_info import get_provider_info
from tests.support.hook_clients import connection_to


def test_the_provider_info_keeps_airflows_schema() -> None:
    schema = json.loads(Path(airflow.__file__).with_name("provider_info.schema.json").read_text())
    jsonschema.validate(get_provider_info(), schema)


def test_its_connection_type_keeps_the_schema_of_provider_yaml() -> None:
    """The stricter one: Airflow's own providers are checked against it, fields of the form included."""
    schema = json.loads(Path(airflow.__file__).with_name("provider.yaml.schema.json").read_text())
    info = get_provider_info()
    known = {name: rule for name, rule in schema["properties"].items() if name in info}
    assert {"connection-types", "hooks", "operators", "integrations"} <= set(known)
    for name, rule in known.items():
        jsonschema.validate(info[name], {**rule, "definitions": schema.get("definitions", {})})


def test_its_form_keeps_the_schema_of_forms() -> None:
    schema = json.loads(Path(airflow.__file__).with_name("customized_form_field_behaviours.schema.json").read_text())
    behaviour = get_provider_info()["connection-types"][0]["ui-field-behaviour"]
    jsonschema.validate({name.replace("-", "_"): value for name, value in behaviour.items()}, schema)


def test_airflow_registers_connection_type_hook_and_form() -> None:
    from airflow.providers_manager import ProvidersManager
    from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime

    hook = ProvidersManagerTaskRuntime().hooks["m3ter"]
    assert hook is not None
    assert (hook.hook_name, hook.connection_type, hook.connection_id_attribute_name) == (
        "m3ter",
        "m3ter",
        "m3ter_conn_id",
    )
    assert hook.hook_class_name == "m3ter_provider.hooks.m3ter.M3terHook"
    assert "airflow-provider-m3ter" in ProvidersManager().providers


def test_the_form_has_the_documented_fields_with_the_codes_defaults() -> None:
    fields = get_provider_info()["connection-types"][0]["conn-fields"]
    assert set(fields) == {
        "org_id",
        "allow_invitations",
        "allowed_domains",
        "requests_per_second",
        "timeout_seconds",
        "allow_http",
    }
    for name, field in fields.items():
        default = ConnectionSettings.model_fields[name].default
        if "default" in field["schema"]:
            assert field["schema"]["default"] == default


def test_every_field_is_labelled_explained_and_has_a_valid_default() -> None:
    (kind,) = get_provider_info()["connection-types"]
    for name, field in kind["conn-fields"].items():
        assert set(field) == {"label", "description", "schema"}, name
        assert field["label"][0].isupper()
        assert field["description"].endswith(".")
        if "default" in field["schema"]:
            jsonschema.validate(field["schema"]["default"], field["schema"])
    behaviour = kind["ui-field-behaviour"]
    shown = {"host", "login", "password", "schema", "port"} - set(behaviour["hidden-fields"])
    assert set(behaviour["placeholders"]) == set(behaviour["relabeling"]) == shown


@pytest.mark.parametrize("name", ["requests_per_second", "timeout_seconds"])
def test_values_within_the_forms_bounds_are_accepted(name: str) -> None:
    schema = get_provider_info()["connection-types"][0]["conn-fields"][name]["schema"]

    def read(value: float) -> float:
        found: float = getattr(connection_settings(connection_to("https://x.example", **{name: value})), name)
        return found

    for bound in ("minimum", "maximum"):
        assert read(schema[bound]) == schema[bound]
    for outside in (0, schema["maximum"] * 1.01):
        with pytest.raises(M3terConfigurationError, match=name):
            read(outside)


@pytest.mark.parametrize("word", ["token", "secret", "key", "password", "proxy"])
def test_fields_have_no_name_that_airflow_masks(word: str) -> None:
    fields = get_provider_info()["connection-types"][0]["conn-fields"]
    assert not [name for name in fields if word in name]


def test_reading_it_imports_nothing_else() -> None:
    """Every Airflow process does so at its start."""
    code = (
        "import sys, m3ter_provider.get_provider_info as info; info.get_provider_info();"
        "print([name for name in sys.modules if name.split('.')[0] in ('airflow', 'aiohttp', 'requests', 'pydantic')])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_form_as_airflows_page_gets_it() -> None:
    from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService

    (form,) = [meta for meta in HookMetaService.hook_meta_data() if meta.connection_type == "m3ter"]
    assert form.hook_name == "m3ter"
    assert form.standard_fields is not None
    assert form.standard_fields.password is not None
    assert form.standard_fields.password.title == "API secret"
    for name, placeholder in get_provider_info()["connection-types"][0]["ui-field-behaviour"]["placeholders"].items():
        assert getattr(form.standard_fields, name).placeholder == placeholder
    assert form.standard_fields.url_schema is not None
    assert form.standard_fields.url_schema.hidden
    assert form.extra_fields is not None
    assert form.extra_fields["requests_per_second"]["value"] == 20
    assert form.extra_fields["allow_invitations"]["value"] is False
    assert "***" not in str(form.extra_fields)


class TestAirflowsCommands:
    """The first question of an operator when a provider seems to be missing."""

    pytestmark = pytest.mark.slow

    def test_airflow_providers_get_shows_the_provider(self, airflow_home: Path) -> None:
        (found,) = json.loads(airflow_command("providers", "get", "airflow-provider-m3ter", "--output", "json"))
        assert found["Provider"] == "airflow-provider-m3ter"
        assert found["Version"] == m3ter_provider.__version__
        whole = airflow_command("providers", "get", "airflow-provider-m3ter", "--full", "--output", "json")
        assert "m3ter_provider.hooks.m3ter.M3terHook" in whole

    def test_airflow_providers_hooks_shows_the_hook(self, airflow_home: Path) -> None:
        hooks = json.loads(airflow_command("providers", "hooks", "--output", "json"))
        (found,) = [hook for hook in hooks if hook["connection_type"] == "m3ter"]
        assert found["package_name"] == "airflow-provider-m3ter"
        assert found["class"] == "m3ter_provider.hooks.m3ter.M3terHook"
        assert found["conn_id_attribute_name"] == "m3ter_conn_id"
        assert found["hook_name"] == "m3ter"


def airflow_command(*arguments: str) -> str:
    command = [sys.executable, "-m", "airflow", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=100).stdout
