"""The command: its help, its errors, and its end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from m3ter_sandbox import __main__ as command
from m3ter_sandbox.sandbox import DEFAULT_CREDENTIALS
from m3ter_sandbox.switches import Switches
from m3ter_sandbox.testing import ACCESS_KEY_ID, API_SECRET, ORG_ID, SandboxError, SandboxServer

RUN = [sys.executable, "-m", "m3ter_sandbox"]


def test_help_shows_examples_and_every_switch(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        command.main(["--help"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    assert "examples:" in text
    assert all(name in text.replace("\n", "") for name in Switches.model_fields if len(name) < 12)
    assert API_SECRET not in text


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--port", "x"], "'x' is not a port"),
        (["--port", "65536"], "is not a port"),
        (["--port", "-1"], "is not a port"),
        (["--window", "weekly"], "invalid choice"),
        (["--requests-per-second", "-1"], "requests_per_second"),
        (["--token-lifetime", "0"], "token_lifetime_seconds"),
        (["--switch", "window"], "is not NAME=VALUE"),
        (["--switch", "no_such=1"], "no_such"),
        (["--switch", "pending_invitation=explode"], "pending_invitation"),
        (["--seed", "/no/such/file.json"], "cannot be read"),
        (["--port-file", "/no/such/folder/port"], "no such folder"),
        (["--org-id", ""], "--org-id must not be empty"),
        (["--requests", "1"], "unrecognized arguments"),
    ],
)
def test_wrong_options_end_with_2_and_the_reason(
    capsys: pytest.CaptureFixture[str], arguments: list[str], reason: str
) -> None:
    with pytest.raises(SystemExit) as end:
        command.main(arguments)
    assert end.value.code == 2
    assert reason in capsys.readouterr().err


def test_a_file_that_is_no_seed_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "start.json"
    for text in ("{", "[]"):
        path.write_text(text)
        with pytest.raises(SystemExit):
            command.main(["--seed", str(path)])
    path.write_text('{"users": [{"mail": "x"}]}')
    ended = subprocess.run([*RUN, "--seed", str(path)], capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode == 1
    assert "m3ter-sandbox: users.0.email" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_port_in_use_and_a_database_in_use(tmp_path: Path) -> None:
    database = tmp_path / "sandbox.db"
    with SandboxServer(database=database) as server:
        port = server.url.rpartition(":")[2]
        cases = ((["--port", port], "Cannot listen"), (["--port", "0", "--database", str(database)], "locked"))
        for arguments, reason in cases:
            ended = subprocess.run([*RUN, *arguments], capture_output=True, text=True, timeout=20, check=False)
            assert ended.returncode == 1
            assert reason in ended.stderr
            assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_quickly_and_well_even_with_a_hanging_request(tmp_path: Path, number: signal.Signals) -> None:
    port_file = tmp_path / "port"
    process = subprocess.Popen(
        [*RUN, "--port", "0", "--port-file", str(port_file)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout
    line = process.stdout.readline()
    port = int(port_file.read_text())
    assert line == f"m3ter sandbox listens at http://127.0.0.1:{port} (mailbox: http://127.0.0.1:{port}/mailbox)\n"
    fault = urllib.request.Request(
        f"http://127.0.0.1:{port}/_sandbox/faults", b'{"kind": "hang"}', {"Content-Type": "application/json"}
    )
    urllib.request.urlopen(fault, timeout=5).close()
    with socket.create_connection(("127.0.0.1", port)) as hanging:
        hanging.sendall(b"GET /organizations/x/users HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(0.05)
        begun = time.monotonic()
        process.send_signal(number)
        out, err = process.communicate(timeout=10)
    assert time.monotonic() - begun < 2
    assert (process.returncode, out, err) == (0, "", "")


def test_a_server_ends_with_the_process_that_began_it() -> None:
    script = (
        "import os, sys; from m3ter_sandbox.testing import SandboxServer; server = SandboxServer(); server.start();"
        "print(server.pid, flush=True); os._exit(0)"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=20, check=True)
    pid = int(ended.stdout)
    for _ in range(200):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            break
        if Path(f"/proc/{pid}/stat").exists() and Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
            break
        time.sleep(0.02)
    else:
        pytest.fail("the sandbox outlived the process that began it")


def test_stop_and_start_keep_port_and_data(tmp_path: Path) -> None:
    with SandboxServer(database=tmp_path / "sandbox.db", org_id="org-7") as server:
        url = server.url
        server.seed(users=[{"email": "ann@example.com"}])
        server.stop()
        with pytest.raises(OSError):
            server.emails()
        server.start()
        assert server.url == url
        assert server.totals()["users"] == 1
        server.kill()
        server.start()
        assert server.totals()["users"] == 1
        assert server.totals()["orgId"] == "org-7"


def test_a_start_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="no_such"):
        SandboxServer(no_such=1).start()
    with pytest.raises(SandboxError, match="cannot be used"):
        SandboxServer(database=tmp_path).start()


def test_defaults_of_server_and_test_module_are_the_same() -> None:
    known = DEFAULT_CREDENTIALS
    assert (known.org_id, known.access_key_id, known.api_secret) == (ORG_ID, ACCESS_KEY_ID, API_SECRET)
