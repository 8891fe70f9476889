"""Bugs that are planted in a copy of the source, one at a time, each of which something must notice."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
ONBOARDING = "include/m3ter_onboarding"
PROVIDER = "plugins/m3ter_provider"


@dataclass(frozen=True)
class Bug:
    """A planted bug: a change of the source's text.

    :param name: what is wrong.
    :param changes: file, text, and what stands in its place.
    :param cases: names of what must notice it, as the command of its self-test takes them.
    """

    name: str
    changes: tuple[tuple[str, str, str], ...]
    cases: tuple[str, ...]


@dataclass(frozen=True)
class SelfTest:
    """One kind of bugs, and what must notice them.

    :param module: the command, for its help.
    :param command: makes the arguments of Python from a bug's cases.
    :param noticed: returns by what a bug was noticed, from what the command printed; None: it failed otherwise.
    """

    module: str
    bugs: Sequence[Bug]
    command: Callable[[Sequence[str]], Sequence[str]]
    noticed: Callable[[str], str | None]

    def main(self, arguments: Sequence[str] | None = None) -> int:
        """Plant every bug; the exit status is 0 if all were noticed."""
        parser = argparse.ArgumentParser(prog=f"python -m {self.module}")
        parser.add_argument("--bug", default="", help="only bugs whose name holds this text")
        parser.add_argument("--verbose", action="store_true", help="print what was printed where a bug was not caught")
        chosen = parser.parse_args(arguments)
        bugs = [bug for bug in self.bugs if chosen.bug in bug.name]
        escaped = 0
        with ThreadPoolExecutor(2) as pool:
            for bug, (by, seconds, output) in zip(bugs, pool.map(self._run, bugs), strict=True):
                escaped += by is None
                _say(f"{'NOT CAUGHT' if by is None else 'caught':10}  {seconds:4.0f} s  {bug.name}")
                if by is not None:
                    _say(f"{'':20}by {by}")
                elif chosen.verbose:
                    _say(output)
        _say(f"{len(bugs) - escaped} of {len(bugs)} planted bugs caught")
        return 1 if escaped else 0

    def _run(self, bug: Bug) -> tuple[str | None, float, str]:
        """Return by what a bug was noticed, in how many seconds, and what was printed."""
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="m3ter-bug-") as name:
            plant(bug, Path(name))
            path = os.pathsep.join((f"{name}/include", f"{name}/plugins", str(ROOT)))
            ended = subprocess.run(
                [sys.executable, *self.command(bug.cases)],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": path},
                capture_output=True,
                text=True,
                check=False,
            )
        output = ended.stdout + ended.stderr
        by = self.noticed(output) if ended.returncode == 1 else None
        return by, time.monotonic() - began, output


def plant(bug: Bug, folder: Path) -> None:
    """Make a copy of the source with a bug.

    :raises SystemExit: the text that it changes is not there, or not once: it must be planted where the code is now.
    """
    for name in ("include", "plugins"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for file, text, instead in bug.changes:
        path = folder / file
        content = path.read_text()
        if content.count(text) != 1:
            raise SystemExit(
                f"The bug {bug.name!r} cannot be planted: {file} holds its text {content.count(text)} times."
            )
        path.write_text(content.replace(text, instead))


def line_with(output: str, text: str) -> str | None:
    """Return the last line that holds a text."""
    return next((line.strip() for line in reversed(output.splitlines()) if text in line), None)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
