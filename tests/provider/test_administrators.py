"""Which permission policies make an administrator."""

from __future__ import annotations

from typing import Any

import pytest

from m3ter_provider.administrators import administrators
from m3ter_provider.models import PermissionPolicy

CRUD = ["config:create", "config:retrieve", "config:update", "config:delete"]


def policy(name: str = "Analyst", *statements: dict[str, Any], managed: bool | None = False) -> PermissionPolicy:
    fields = {"id": f"id-{name}", "name": name, "managedPolicy": managed, "permissionPolicy": list(statements)}
    return PermissionPolicy.model_validate(fields)


def allow(action: list[str], *resource: str, effect: str = "ALLOW") -> dict[str, Any]:
    return {"effect": effect, "action": action, "resource": list(resource) or ["*"]}


@pytest.mark.parametrize(
    "statements",
    [
        [allow(["ALL"])],
        [allow(["*"])],
        [allow(["all"], effect="allow")],
        [allow(["config:*"])],
        [allow(["CONFIG_ALL"])],
        [allow(CRUD)],
        [allow([action.upper().replace(":", "_") for action in CRUD])],
        [allow(["config:create", "config:update"]), allow(["config:delete"])],
        [allow(["*"], "config:*")],
        [allow(["*"], "config:meter/item/1", "*:*/*/*")],
        [allow(CRUD, " config:*/item/* ")],
        [allow(["*"]), allow(["config:delete"], "*", effect="DENY")],
        [allow(["*"], effect="PERMIT")],
        # Who may write one of these can give themselves the rest.
        [allow(["config:create", "config:retrieve", "config:update"])],
        [allow(["config:delete"]), allow(["config:create", "config:update"], "config:plan")],
        [allow(["ALL"], "config:permissionPolicy", "config:orgUser*")],
        [allow(["ALL"], "?*")],
        [allow(["ALL"], *(f"config:{letter}*" for letter in "abcdefghijklmnopqrstuvwxyz"))],
        [allow(["config:update"], "config:permissionPolicy/item/123")],
        [allow(["config:create"], "CONFIG:ORGUSERINVITATION/*")],
        [allow(["config:u*"], "config:user[Gg]roup/*")],
        [allow(["CONFIG_CREATE"], "conf*:*key")],
        [allow(["config:update"], "config:service\uff35ser")],
        [allow(["CONFIG_UPDATE"], "all")],
        [],  # m3ter does not show them
        [{"effect": "ALLOW", "action": ["ALL"], "resource": None}],
        [{"effect": "ALLOW", "action": None, "resource": ["*"]}],
    ],
    ids=str,
)
def test_statements_that_let_people_decide_about_access(statements: list[dict[str, Any]]) -> None:
    assert policy("Analyst", *statements).administrator_like
    assert policy("Analyst", *statements, managed=None).administrator_like


@pytest.mark.parametrize(
    "statements",
    [
        [allow(["CONFIG_RETRIEVE"])],
        [allow([])],
        [allow(["config:retrieve", "config:export"], "config:permissionPolicy", "*")],
        [allow(CRUD, "config:plan/*", "config:meter")],
        [allow(["*"], "config:plan/group/*")],
        [allow(["*"], "config")],
        [allow(["config:retrieve"]), allow(["config:create", "config:update"], "config:plan")],
        [allow(CRUD, "config:p*an/*", "config:meter*", "billing:*")],
        [allow(["*"], effect="deny")],
        [allow(["analytics:*", "measurements:*"])],
    ],
    ids=str,
)
def test_statements_that_do_not(statements: list[dict[str, Any]]) -> None:
    assert not policy("Analyst", *statements).administrator_like


@pytest.mark.parametrize("name", ["Administrator", "ADMINISTRATORS", "Organization admin", "Super User", "Full Access"])
def test_a_policy_is_like_an_administrator_by_its_name(name: str) -> None:
    """m3ter's own, or one of which it does not say so; and any whose statements it does not show."""
    reads = allow(["CONFIG_RETRIEVE"])
    assert policy(name, reads, managed=True).administrator_like
    assert policy(name, reads, managed=None).administrator_like
    assert policy(name, managed=False).administrator_like
    assert not policy(name, reads, managed=False).administrator_like
    assert not policy("Read Only", reads, managed=True).administrator_like
    assert policy("Read Only", managed=True).administrator_like, "nobody can see what it allows"
    assert policy("\uff21dministrator", reads, managed=True).administrator_like, "written in wide letters"


def test_the_sandboxs_own_policies_are_told_apart(m3ter_sandbox: Any) -> None:
    from airflow.sdk import Connection

    from m3ter_provider.hooks.m3ter import M3terHook
    from tests.support.hook_clients import Client

    m3ter_sandbox.switches(requests_per_second=0)
    client = Client("sync", Connection.from_json(m3ter_sandbox.airflow_connection(), conn_id="m3ter_test"))
    hook: M3terHook = client.sync_hook()
    assert [found.name for found in administrators(hook.iter_permission_policies())] == ["Administrator"]
