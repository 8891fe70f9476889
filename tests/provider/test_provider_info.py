"""What Airflow knows of the provider without importing it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import airflow
import jsonschema
import pytest

from m3ter_provider.connection import ConnectionSettings
from m3ter_provider.get_provider_info import get_provider_info


def test_it_keeps_airflows_schema() -> None:
    schema = json.loads(Path(airflow.__file__).with_name("provider_info.schema.json").read_text())
    jsonschema.validate(get_provider_info(), schema)


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


@pytest.mark.parametrize("word", ["token", "secret", "key", "password", "proxy"])
def test_no_field_has_a_name_that_airflow_masks(word: str) -> None:
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
    assert form.extra_fields is not None
    assert form.extra_fields["requests_per_second"]["value"] == 20
    assert form.extra_fields["allow_invitations"]["value"] is False
    assert "***" not in str(form.extra_fields)
