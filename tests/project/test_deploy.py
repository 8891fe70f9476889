"""The commands of docs/deploy.md name services, profiles, files, variables and commands that there are."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

from m3ter_onboarding.cli.command import _parser

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "deploy.md").read_text("utf-8")
COMMANDS = [
    line.strip()
    for block in re.findall(r"^ *```console\n(.*?)^ *```", PAGE, re.DOTALL | re.MULTILINE)
    for line in block.splitlines()
]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())


def commands(first: str) -> list[list[str]]:
    """Return the commands that begin with these words, as a shell splits them."""
    found = [shlex.split(line) for line in COMMANDS if line.startswith(first)]
    assert found
    return found


def test_services_and_profiles_of_compose_exist() -> None:
    services = {name: service.get("profiles", []) for name, service in COMPOSE["services"].items()}
    for words in commands("docker compose"):
        assert set(words) & {"up", "ps", "exec", "run"}
        if "--profile" in words:
            assert words[words.index("--profile") + 1] in {profile for some in services.values() for profile in some}
        if "--scale" in words:
            assert words[words.index("--scale") + 1].partition("=")[0] in services
        if {"exec", "run"} & {*words}:
            assert len({*words} & {*services}) >= 1, words


def test_the_ledgers_role_and_the_users_of_the_database_are_those_of_compose() -> None:
    assert COMPOSE["services"]["postgres"]["environment"]["POSTGRES_USER"] == "airflow"
    [createdb] = [words for words in commands("docker compose exec postgres") if "createdb" in words]
    owner = createdb[createdb.index("--owner") + 1]
    assert f"CREATE ROLE {owner} LOGIN PASSWORD" in (ROOT / "compose" / "postgres" / "10-warehouse.sh").read_text()
    assert owner in PAGE.partition("AIRFLOW_CONN_LEDGER_ACME=")[2].splitlines()[0]


def test_variables_of_the_environment_are_read_by_something() -> None:
    read_by = "".join((ROOT / name).read_text() for name in (".env.example", "docker-compose.yaml"))
    named = set(re.findall(r"`([A-Z][A-Z_]{7,})(?:=\w+)?`", PAGE)) - {"AIRFLOW_DATABASE_URL"}  # the reader's own
    assert named
    assert {name for name in named if name not in read_by} == set()


def test_files_of_the_commands_exist() -> None:
    files = [word for words in commands("helm") for word in words if "deploy/helm/" in word]
    assert files
    assert all((ROOT / word.rpartition("=")[2]).is_file() for word in files)
    assert {path.name for path in (ROOT / "deploy" / "helm").iterdir()} == set(
        re.findall(r"\[([\w.-]+\.yaml)\]\(", PAGE)
    )


def test_names_in_the_cluster_are_those_of_one_release() -> None:
    releases = {words[words.index("--install") + 1] for words in commands("helm upgrade")}
    releases |= {words[words.index("template") + 1] for words in commands("helm template")}
    assert releases == {"airflow"}
    [host] = re.findall(r"execution_api_server_url: http://([\w-]+):", (ROOT / "deploy/helm/values.yaml").read_text())
    named = {
        word.partition("/")[2] for words in commands("kubectl") for word in words if re.match("(deploy|svc)/", word)
    }
    assert named == {host} == {"airflow-api-server"}


@pytest.mark.parametrize("line", [line for line in COMMANDS if "m3ter-onboarding " in line])
def test_our_own_commands_are_understood(line: str) -> None:
    said = line.rpartition("m3ter-onboarding ")[2].partition("|")[0]
    if said.startswith("airflow-worker "):  # of `docker compose run --entrypoint m3ter-onboarding airflow-worker …`
        said = said.removeprefix("airflow-worker ")
    words = [{"N": "1"}.get(word, word) for word in shlex.split(said)]
    assert _parser().parse_args(words)


def test_what_init_writes_is_named_as_on_the_page(tmp_path: Path) -> None:
    from m3ter_onboarding.cli.command import main

    [words] = [words for words in commands("docker compose run") if "init" in words]
    asked = words[words.index("init") :]
    asked[1] = str(tmp_path)
    assert main(asked) == 0
    written = {path.name for path in tmp_path.iterdir()}
    assert {"acme.yaml", "acme_new_hires.sql"} <= written
    assert all(name in PAGE for name in ("dags/acme.yaml", "dags/acme_new_hires.sql"))
