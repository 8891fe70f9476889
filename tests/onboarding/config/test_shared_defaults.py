"""``extends`` and variables of the environment in configurations."""

from __future__ import annotations

from pathlib import Path

import pytest

from m3ter_onboarding.config.organisation import OnboardingConfig
from m3ter_onboarding.config.yaml_file import load_config
from m3ter_onboarding.errors import ConfigurationError

QUERY = "SELECT :window_start, :window_end"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "own").mkdir()
    (tmp_path / "common" / "sql").mkdir(parents=True)
    (tmp_path / "common" / "sql" / "hires.sql").write_text(QUERY + " -- common", encoding="utf-8")
    (tmp_path / "own" / "own.sql").write_text(QUERY + " -- own", encoding="utf-8")
    return tmp_path


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def load(folder: Path, own: str, **common: str) -> OnboardingConfig:
    for name, text in common.items():
        write(folder / "common", f"{name}.yaml", text)
    return load_config(write(folder / "own", "acme.yaml", own))


def test_what_a_file_has_not_is_taken_from_the_one_that_it_extends(folder: Path) -> None:
    config = load(
        folder,
        "extends: ../common/all.yaml\nname: acme\nmax_invitations: 5\n"
        "dag: {tags: [own]}\nexclude: {domains: [x.example]}",
        all=(
            "warehouse_conn_id: w\nquery: sql/hires.sql\nmax_invitations: 50\nmax_age_days: 30\n"
            "dag: {tags: [a, b], owner: team}\nexclude: {domains: [y.example], employee_ids: ['7']}"
        ),
    )
    assert (config.name, config.warehouse_conn_id, config.max_invitations, config.max_age_days) == ("acme", "w", 5, 30)
    assert (config.dag.owner, config.dag.tags) == ("team", ("own",))
    assert (config.exclude.domains, config.exclude.employee_ids) == (("x.example",), ("7",))
    assert config.query_text.endswith("-- common")
    assert config.path.name == "acme.yaml"


def test_an_own_path_is_relative_to_the_own_file(folder: Path) -> None:
    shared = "warehouse_conn_id: w\nquery: sql/hires.sql"
    assert load(folder, "extends: ../common/all.yaml\nname: acme\nquery: own.sql", all=shared).query_text.endswith(
        "own"
    )


def test_the_later_of_several_files_holds_and_files_may_extend_others(folder: Path) -> None:
    config = load(
        folder,
        "extends: [../common/a.yaml, ../common/b.yaml]\nname: acme",
        base="warehouse_conn_id: base\nquery: sql/hires.sql\nmax_age_days: 10\nlook_back_days: 9",
        a="extends: base.yaml\nmax_age_days: 20\nlook_back_days: 8",
        b="look_back_days: 7\nmax_invitations: null",
    )
    assert (config.warehouse_conn_id, config.max_age_days, config.look_back_days) == ("base", 20, 7)
    assert config.max_invitations is None


@pytest.mark.parametrize(
    ("own", "shared", "said"),
    [
        (
            "extends: ../common/none.yaml\nname: acme",
            "",
            r"acme\.yaml, key 'extends': the file .*none\.yaml does not exist",
        ),
        ("extends: ../common/all.yaml\nname: acme", "extends: all.yaml", r"all\.yaml: the key 'extends' leads back"),
        (
            "extends: ../common/all.yaml\nname: acme",
            "extends: ../own/acme.yaml",
            r"acme\.yaml: the key 'extends' leads back",
        ),
        ("extends: 7\nname: acme", "", r"acme\.yaml: the key 'extends' is the path of a YAML file"),
        (
            "extends: ../common/all.yaml\nname: acme",
            "name: other",
            r"all\.yaml: the key 'name' is one organisation's own",
        ),
        ("extends: ../common/all.yaml\nname: acme", "a: [", r"all\.yaml, line 1.*not valid YAML"),
        (
            "extends: ../common/all.yaml\nname: acme\nlook_back_days: many",
            "warehouse_conn_id: w\nquery: sql/hires.sql\nmax_invitation: 5",
            r"acme\.yaml: the key 'look_back_days' is .*\. .*all\.yaml: the key 'max_invitation' is unknown",
        ),
    ],
)
def test_a_mistake_is_said_with_the_file_in_which_it_stands(folder: Path, own: str, shared: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        load(folder, own, all=shared)


ROUTED = "warehouse_conn_id: w\nquery: sql/hires.sql\norganisations: [acme, Globex]"


def test_configurations_share_one_query_and_each_names_its_organisation(folder: Path) -> None:
    (folder / "common" / "sql" / "hires.sql").write_text(QUERY + ", :organisation", encoding="utf-8")
    config = load(folder, "extends: ../common/all.yaml\nname: a\norganisation: ' acme '", all=ROUTED)
    assert (config.organisation, config.organisations) == ("acme", ("acme", "Globex"))
    config = load(folder, "extends: ../common/all.yaml\nname: g\norganisation: Globex", all=ROUTED)
    assert config.organisation == "Globex"


@pytest.mark.parametrize(
    ("own", "shared", "said"),
    [
        ("", ROUTED + "\norganisation: acme", r"all\.yaml: the key 'organisation' is one organisation's own"),
        ("", ROUTED, r"the key 'organisations' is .*: the value of `organisation` is not among them"),
        ("organisation: globex", ROUTED, "the value of `organisation` is not among them, spelled alike"),
        ("organisation: a\norganisations: [a, b, ' A']", ROUTED, "'a' is there more than once, or in two spellings"),
        ("organisation: ''", ROUTED, "the key 'organisation'"),
        ("organisation: 7", ROUTED, "it is read as a number; write it in quotes"),
        (
            "organisation: acme\nextra_columns: [Organisation]",
            ROUTED,
            "the column organisation decides whose row it is",
        ),
    ],
)
def test_an_organisation_that_may_be_anothers_is_an_error(folder: Path, own: str, shared: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        load(folder, f"extends: ../common/all.yaml\nname: a\n{own}", all=shared)


def test_a_query_that_asks_for_the_organisation_needs_the_key(folder: Path) -> None:
    (folder / "common" / "sql" / "hires.sql").write_text(QUERY + ", :organisation", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"hires\.sql uses :organisation, and the configuration has no key"):
        load(folder, "extends: ../common/all.yaml\nname: a\norganisations: []", all=ROUTED)


def test_variables_of_the_environment_are_read_as_if_they_were_written_there(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("M3TER_ONBOARDING_STAGE", "prod")
    monkeypatch.setenv("M3TER_ONBOARDING_MOST", "7")
    config = load(
        folder,
        "name: acme_${M3TER_ONBOARDING_STAGE}\nwarehouse_conn_id: 'w_${M3TER_ONBOARDING_STAGE}'\n"
        "dag: {owner: 'the $${x}'}\nquery: own.sql\n"
        "max_invitations: ${M3TER_ONBOARDING_MOST}\nmax_age_days: ${M3TER_ONBOARDING_AGE:-30}\n"
        "schedule: ${M3TER_ONBOARDING_WHEN:-null}\ntime_zone: ${M3TER_ONBOARDING_NONE:-Europe/Berlin}",
    )
    assert (config.name, config.warehouse_conn_id, config.dag.owner) == ("acme_prod", "w_prod", "the ${x}")
    assert (config.max_invitations, config.max_age_days, config.schedule) == (7, 30, None)
    assert config.time_zone == "Europe/Berlin"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("M3TER_ONBOARDING_MISSING", r"acme\.yaml, line 2.*the environment has no M3TER_ONBOARDING_MISSING"),
        ("AIRFLOW__CORE__FERNET_KEY", r"only variables that begin with M3TER_ONBOARDING_"),
        ("HOME:-x", r"only variables that begin with M3TER_ONBOARDING_"),
        ("", r"only variables that begin with M3TER_ONBOARDING_"),
    ],
)
def test_other_variables_may_hold_secrets_and_missing_ones_are_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, said: str
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "very-secret")
    with pytest.raises(ConfigurationError, match=said) as error:
        load(folder, f"name: acme\nwarehouse_conn_id: ${{{name}}}\nquery: own.sql")
    assert "very-secret" not in str(error.value)


def test_a_shared_file_that_changes_is_read_anew(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("M3TER_ONBOARDING_MOST", "7")
    own, shared = "extends: ../common/all.yaml\nname: acme", "warehouse_conn_id: w\nquery: sql/hires.sql\n"
    most = "max_invitations: ${M3TER_ONBOARDING_MOST}\n"
    assert load(folder, own, all=shared + most).max_invitations == 7
    monkeypatch.setenv("M3TER_ONBOARDING_MOST", "8")
    assert load(folder, own, all=shared + most).max_invitations == 8
    assert load(folder, own, all=shared + "max_invitations: 9").max_invitations == 9
    assert load(folder, own + "\ndag: {owner: me}", all=shared + "dag: {tags: [a]}").dag.owner == "me"
    assert load(folder, own, all=shared + "dag: {tags: [a]}").dag.owner != "me"
