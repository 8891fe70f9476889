"""What the package may import, and what its pytest plugin costs."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import time_machine

import m3ter_sandbox as package
from m3ter_sandbox.testing import SandboxServer

SOURCES = sorted(Path(package.__file__).parent.glob("**/*.py"))


def test_the_sandbox_shares_no_code_with_provider_and_application() -> None:
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text())):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                assert name.split(".")[0] not in {"airflow", "m3ter_provider", "m3ter_onboarding", "m3ter"}, source.name


def test_the_pytest_plugin_imports_nothing_heavy() -> None:
    script = (
        "import sys, json, pytest; before = set(sys.modules); import m3ter_sandbox.pytest_plugin;"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=20, check=True).stdout
    assert json.loads(out) == ["m3ter_sandbox", "m3ter_sandbox.pytest_plugin"]


def test_steering_it_needs_the_standard_library_only() -> None:
    heavy = "('starlette', 'pydantic', 'uvicorn')"
    script = f"import sys, m3ter_sandbox.testing; print([name for name in {heavy} if name in sys.modules])"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=20, check=True).stdout
    assert out.strip() == "[]"


def test_the_fixture_is_a_clean_running_sandbox(m3ter_sandbox: SandboxServer) -> None:
    assert m3ter_sandbox.emails() == {}
    m3ter_sandbox.seed(invitations=[{"email": "left-over@example.com"}])
    m3ter_sandbox.faults(kind="drop")


def test_the_fixture_is_clean_again(m3ter_sandbox: SandboxServer) -> None:
    assert m3ter_sandbox.totals()["invitations"] == 0
    assert m3ter_sandbox.active_faults() == []
    assert m3ter_sandbox.mailbox() == []


def test_frozen_time_and_a_forked_client_do_not_disturb_it(m3ter_sandbox: SandboxServer) -> None:
    m3ter_sandbox.seed(users=[{"email": "ada@example.com"}])
    before = m3ter_sandbox.users()
    with time_machine.travel("2001-01-01T00:00:00+00:00", tick=False):
        assert m3ter_sandbox.users() == before
        child = os.fork()
        if child == 0:
            os._exit(0 if m3ter_sandbox.users() == before else 1)
        assert os.waitpid(child, 0)[1] == 0
    assert not before[0]["dtCreated"].startswith("2001")


def test_the_airflow_connection_is_complete(m3ter_sandbox: SandboxServer) -> None:
    connection = json.loads(m3ter_sandbox.airflow_connection(requests_per_second=50, allow_invitations=False))
    assert connection == {
        "conn_type": "m3ter",
        "host": m3ter_sandbox.url,
        "login": m3ter_sandbox.access_key_id,
        "password": m3ter_sandbox.api_secret,
        "extra": {"org_id": m3ter_sandbox.org_id, "allow_invitations": False, "requests_per_second": 50},
    }
