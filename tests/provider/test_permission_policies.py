"""Which policy a name means."""

from __future__ import annotations

import pytest

from m3ter_provider.errors import M3terPermissionPolicyError
from m3ter_provider.models import PermissionPolicy
from m3ter_provider.permission_policies import PolicyBook, policy_names


def policy(name: str) -> PermissionPolicy:
    return PermissionPolicy.model_validate({"id": f"id-{name}", "name": name, "managedPolicy": False})


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
        ('["a", null]', ("a",)),
        ("['a', None]", ("a",)),
        ([None], ()),
        (["\u200eViewer\ufeff", "\u200b"], ("Viewer",)),
    ],
)
def test_names_are_read_as_templates_give_them(value: object, names: tuple[str, ...]) -> None:
    assert policy_names(value) == names


@pytest.mark.parametrize("value", ["[Viewer", '{"a": 1', 7, [7], {"a": 1}, "[1]", '["a", 1]', b"Viewer"])
def test_a_value_that_is_no_list_of_names_is_an_error(value: object) -> None:
    if value == '{"a": 1':
        assert policy_names(value) == ('{"a": 1',)  # a name, although a strange one
        return
    with pytest.raises(M3terPermissionPolicyError, match="a list of names"):
        policy_names(value)
