"""Which policy a name means, and which ones make an administrator."""

from __future__ import annotations

from typing import Any

import pytest

from m3ter_provider.errors import M3terPermissionPolicyError
from m3ter_provider.models import PermissionPolicy
from m3ter_provider.permission_policies import PolicyBook, administrators, policy_names

CRUD = ["config:create", "config:retrieve", "config:update", "config:delete"]


def policy(name: str = "Analyst", *statements: dict[str, Any], managed: bool | None = False) -> PermissionPolicy:
    fields = {"id": f"id-{name}", "name": name, "managedPolicy": managed, "permissionPolicy": list(statements)}
    return PermissionPolicy.model_validate(fields)


def allow(action: list[str], *resource: str, effect: str = "ALLOW") -> dict[str, Any]:
    return {"effect": effect, "action": action, "resource": list(resource) or ["*"]}


VIEWER, ANALYST = policy("Viewer"), policy("Analyst")
TWINS = (VIEWER.model_copy(update={"id": "a", "name": "Twin"}), VIEWER.model_copy(update={"id": "b", "name": "Twin"}))
BOOK = PolicyBook([VIEWER, ANALYST, *TWINS])


class TestLookUp:
    def test_policies_are_found_by_name_and_id_each_once(self) -> None:
        assert BOOK.resolve([" Viewer ", "id-Analyst", "id-Viewer", "a"]) == (TWINS[0], ANALYST, VIEWER)
        assert BOOK.resolve([]) == ()

    def test_an_id_goes_before_a_name(self) -> None:
        misleading = VIEWER.model_copy(update={"id": "c", "name": "id-Analyst"})
        assert PolicyBook([ANALYST, misleading]).resolve(["id-Analyst"]) == (ANALYST,)

    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("Viewr", "has the name or id 'Viewr'; did you mean 'Viewer'?"),
            ("viewer", "did you mean 'Viewer'?"),
            ("Twin", "2 permission policies in m3ter are named 'Twin' (a, b); use an id."),
            ("zzz", "No permission policy in m3ter has the name or id 'zzz'."),
        ],
    )
    def test_missing_and_ambiguous_names_are_errors(self, name: str, said: str) -> None:
        with pytest.raises(M3terPermissionPolicyError) as caught:
            BOOK.resolve(["Viewer", name])
        assert said in str(caught.value)

    def test_a_text_of_the_wrong_column_is_not_repeated(self) -> None:
        with pytest.raises(M3terPermissionPolicyError) as caught:
            BOOK.resolve([f"ann.example@example.com {'x' * 200}"])
        assert "ann.example" not in str(caught.value)
        assert len(str(caught.value)) < 200

    def test_policies_that_are_not_allowed_are_named(self) -> None:
        assert BOOK.not_among([VIEWER, ANALYST], ["Viewer", "gone"]) == (ANALYST,)
        assert BOOK.not_among([VIEWER], []) == (VIEWER,)
        with pytest.raises(M3terPermissionPolicyError, match="named 'Twin'"):
            BOOK.not_among([VIEWER], ["Twin"])


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (None, ()),
        ("", ()),
        (" None ", ()),
        ([], ()),
        ("[]", ()),
        ("Viewer", ("Viewer",)),
        ("Viewer, p-1; Analyst,,Viewer", ("Viewer", "p-1", "Analyst")),
        (["Reads, writes", "Viewer"], ("Reads, writes", "Viewer")),
        (("Viewer",), ("Viewer",)),
        ('["Reads, writes", "Viewer"]', ("Reads, writes", "Viewer")),
        ("['Reads, writes', 'Viewer']", ("Reads, writes", "Viewer")),
    ],
)
def test_names_are_read_as_templates_give_them(value: object, names: tuple[str, ...]) -> None:
    assert policy_names(value) == names


@pytest.mark.parametrize("value", ["[Viewer", '{"a": 1', 7, [7], {"a": 1}, "[1]", '["a", null]', b"Viewer"])
def test_a_value_that_is_no_list_of_names_is_an_error(value: object) -> None:
    if value == '{"a": 1':
        assert policy_names(value) == ('{"a": 1',)  # a name, although a strange one
        return
    with pytest.raises(M3terPermissionPolicyError, match="a list of names"):
        policy_names(value)


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
    ],
    ids=str,
)
def test_statements_that_grant_everything(statements: list[dict[str, Any]]) -> None:
    assert policy("Analyst", *statements).administrator_like
    assert policy("Analyst", *statements, managed=None).administrator_like


@pytest.mark.parametrize(
    "statements",
    [
        [],
        [allow(["CONFIG_RETRIEVE"])],
        [allow([])],
        [allow(["config:create", "config:retrieve", "config:update"])],
        [allow(CRUD, "config:plan/*", "config:meter")],
        [allow(["*"], "config:plan/group/*")],
        [allow(["*"], "config")],
        [allow(["config:delete"]), allow(["config:create", "config:update"], "config:plan")],
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
    assert not policy("Read Only", managed=None).administrator_like


def test_the_sandboxs_own_policies_are_told_apart(m3ter_sandbox: Any) -> None:
    from airflow.sdk import Connection

    from m3ter_provider.hooks.m3ter import M3terHook
    from tests.support.hook_clients import Client

    m3ter_sandbox.switches(requests_per_second=0)
    client = Client("sync", Connection.from_json(m3ter_sandbox.airflow_connection(), conn_id="m3ter_test"))
    hook: M3terHook = client.sync_hook()
    assert [found.name for found in administrators(hook.iter_permission_policies())] == ["Administrator"]
