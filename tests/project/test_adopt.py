"""The steps of docs/adopt.md, run from the page itself: an empty folder, a new environment, a new Airflow."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from demo.ports import free_port
from demo.processes import end_family, marked_environment
from tests.project.conftest import ROOT, Distribution

PAGE = ROOT / "docs" / "adopt.md"
STEPS = re.findall(r"^<!-- run: (\S+) -->\n\n```console\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
#: What the page says, and what is asked for it here: the ports may be taken.
PORTS = ("8080", "8321")


@dataclass(frozen=True)
class Followed:
    """What the page's steps did.

    :param said: what each step printed, by its name.
    """

    folder: Path
    said: dict[str, str]


def script() -> str:
    """Join the page's steps, as somebody types them into one shell; the name of each is printed before it."""
    steps = [f"echo '=== {name}'\n{text}" for name, text in STEPS]
    # Without an environment of its own, what follows would be installed into another one.
    steps[0] = steps[0].replace("uv pip install", '[ "$VIRTUAL_ENV" = "$PWD/.venv" ]\nuv pip install')
    return "\n".join(["set -euo pipefail", *steps, "echo '=== end'", "kill $(jobs -p)"])


def test_every_block_of_the_first_part_is_run() -> None:
    first_part = PAGE.read_text("utf-8").partition("\n## In your own deployment")[0]
    assert first_part.count("```console") == len(STEPS) == 10
    assert all(port in script() for port in PORTS)


@pytest.fixture(scope="module")
def followed(distribution: Distribution, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Followed]:
    """Follow the page once."""
    folder = tmp_path_factory.mktemp("adopt")
    shutil.copy(distribution.wheel, folder)
    shutil.copy(ROOT / "constraints.txt", folder)
    text = script()
    ports = {port: str(free_port()) for port in PORTS}
    for port, free in ports.items():
        text = text.replace(port, free)
    family = secrets.token_hex(16)
    environment = {
        name: value
        for name, value in os.environ.items()
        # Nothing of the tests' own Airflow or environment; an import without bytecode takes twice as long.
        if not name.startswith(("AIRFLOW", "_AIRFLOW", "PYTHON", "VIRTUAL_ENV", "UV_PYTHON", "UV_PROJECT", "M3TER"))
    }
    # The ports of the logs are not on the page, and may be taken.
    logs, triggers = str(free_port()), str(free_port())
    environment |= {
        "PATH": os.pathsep.join([str(_only_uv(folder)), os.environ["PATH"]]),
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": logs,
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": triggers,
    }
    try:
        done = subprocess.run(
            ["bash", "-c", text],
            cwd=folder,
            env=marked_environment(environment, family),
            stdin=subprocess.DEVNULL,
            stdout=(folder / "said.txt").open("wb"),
            stderr=subprocess.STDOUT,
            timeout=540,
            check=False,
        )
        said = (folder / "said.txt").read_text("utf-8")
        log = folder / "airflow.log"
        assert "=== end" in said, f"{done.returncode}\n{said}\n{log.read_text()[-3000:] if log.exists() else ''}"
        parts = re.split(r"^=== (\S+)\n", said, flags=re.MULTILINE)[1:]
        yield Followed(folder, dict(zip(parts[::2], parts[1::2], strict=True)))
    finally:
        end_family(family)


def _only_uv(folder: Path) -> Path:
    """Make a folder with uv and the Python under the tests': their own environment must not be found."""
    path = folder / "bin"
    path.mkdir()
    (path / "uv").symlink_to(Path(sys.executable).with_name("uv"))
    (path / "python3").symlink_to(Path(sys._base_executable).resolve())  # type: ignore[attr-defined]
    return path


def emails(said: str) -> dict[str, int]:
    """Read the sandbox's answer, the last line of what a step printed."""
    found: dict[str, int] = json.loads(said.strip().splitlines()[-1])
    return found


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_page_leads_from_nothing_to_exactly_one_invitation_each(followed: Followed) -> None:
    assert set(followed.said) == {name for name, _ in STEPS} | {"end"}
    # The package is the wheel's, not the one of this repository.
    assert list(followed.folder.glob(".venv/lib/python*/site-packages/m3ter_onboarding/cli/command.py"))

    assert followed.said["check"].count("right: ") == 4
    assert re.search(r"preview .*success", followed.said["preview"])
    shown = re.search(r"^```text\n(1001 .*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert shown is not None
    assert _plain(followed.said["decisions"]) == _plain(shown[1])
    assert emails(followed.said["decisions"]) == {}

    once = {"ada@example.com": 1, "grace@example.com": 1}
    assert re.search(r"first .*success", followed.said["send"])
    assert emails(followed.said["send"]) == once
    assert re.search(r"second .*success", followed.said["again"])
    assert emails(followed.said["again"]) == once
    with closing(sqlite3.connect(followed.folder / "people.db")) as ledger:
        states = ledger.execute("SELECT state, COUNT(*) FROM m3ter_invitation GROUP BY state").fetchall()
        runs = ledger.execute("SELECT mode, outcome FROM m3ter_onboarding_run ORDER BY started_at").fetchall()
    assert states == [("sent", 2)]
    assert runs == [("dry_run", "success"), ("normal", "success"), ("normal", "success")]


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def test_a_port_that_is_taken_is_named_before_anything_is_started() -> None:
    (step,) = (text for name, text in STEPS if name == "init")
    check = step.partition("python - <<'END'\n")[2].partition("\nEND\n")[0]
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        taken = str(listener.getsockname()[1])
        ports = {"AIRFLOW__API__PORT": str(free_port()), "SANDBOX_PORT": taken}
        done = subprocess.run([sys.executable, "-c", check], env=ports, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == f"Port {taken} is taken by another program: set SANDBOX_PORT to another one.\n"
    ports["SANDBOX_PORT"] = str(free_port())
    assert subprocess.run([sys.executable, "-c", check], env=ports, check=False).returncode == 0
